//! Numbers as EventBridge compares them: as IEEE doubles where the decimal text is exactly one, else by their digits.

use serde_json::Number as JsonNumber;

/// A number in a pattern or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Number {
    /// Exactly a double; the key sorts as the doubles do.
    Double(u64),
    /// An integer that no double holds; only equal to itself, and in no range.
    Integer(i128),
}

impl Number {
    /// A literal in a pattern's value list; any JSON number will do, except one beyond all doubles.
    pub(super) fn literal(text: &str) -> Option<Self> {
        let double: f64 = text.parse().ok()?;
        if !double.is_finite() {
            return None;
        }
        if is_exact(text, double) {
            return Some(Self::from_double(double));
        }
        let integer = text.parse::<i64>().map(i128::from).or_else(|_| text.parse::<u64>().map(i128::from));
        Some(integer.map_or(Self::from_double(double), Self::Integer))
    }

    /// An operand of `numeric` or a member of `anything-but`, which have to be comparable.
    pub(super) fn operand(text: &str) -> Result<Self, String> {
        let double: f64 = text.parse().unwrap_or(f64::INFINITY);
        if !double.is_finite() || !is_exact(text, double) {
            return Err(format!("Cannot compare number : {text}"));
        }
        if double.abs() > OPERAND_MAX {
            return Err("Value must be between -5.0E9 and 5.0E9, inclusive".to_owned());
        }
        Ok(Self::from_double(double))
    }

    /// A number of an event.
    pub(super) fn of_event(number: &JsonNumber) -> Self {
        number.as_f64().and_then(|_| Self::literal(&number.to_string())).unwrap_or(Self::Integer(i128::MAX))
    }

    /// The double whose key this is; for a large integer the nearest.
    pub(super) fn to_double(self) -> f64 {
        match self {
            Self::Double(key) if key >> 63 == 1 => f64::from_bits(key ^ SIGN),
            Self::Double(key) => f64::from_bits(!key),
            Self::Integer(integer) => integer.to_string().parse().unwrap_or(f64::INFINITY),
        }
    }

    fn from_double(double: f64) -> Self {
        // Minus zero is zero in decimal.
        let bits = (double + 0.0).to_bits();
        Self::Double(if bits & SIGN == 0 { bits ^ SIGN } else { !bits })
    }
}

/// Whether the decimal text says exactly what the shortest text of the double says.
fn is_exact(text: &str, double: f64) -> bool {
    decimal(text) == decimal(&format!("{double:e}"))
}

/// Sign, significant digits without zeros at either end, and the power of ten of the last of them.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - kept.len()).ok()?;
    let significant = kept.trim_start_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    let places = i64::try_from(fraction.len()).ok()?;
    let power = exponent.checked_sub(places)?.checked_add(dropped)?;
    Some((negative, significant.to_owned(), power))
}

const SIGN: u64 = 1 << 63;

/// `numeric` works between minus and plus five billion.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
const OPERAND_MAX: f64 = 5_000_000_000.0;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn spellings_of_one_number_are_one() {
        let one = Number::literal("1");
        for text in ["1.0", "1e0", "10E-1", "0.1e+1", "1.000"] {
            assert_eq!(Number::literal(text), one, "{text}");
        }
        assert_eq!(Number::literal("-0.0"), Number::literal("0"));
        assert_ne!(Number::literal("9007199254740993"), Number::literal("9007199254740992"));
    }

    #[test]
    fn the_order_is_that_of_the_doubles() {
        let texts = ["-5e9", "-1.5", "-1", "-1e-300", "0", "1e-300", "0.1", "301.8", "5e9"];
        let numbers: Vec<_> = texts.iter().map(|text| Number::operand(text).unwrap()).collect();
        assert!(numbers.is_sorted());
        for (text, number) in texts.iter().zip(&numbers) {
            assert_eq!(number.to_double(), text.parse::<f64>().unwrap());
        }
    }

    #[test]
    fn operands_are_bounded_and_comparable() {
        assert!(Number::operand("5000000000").is_ok());
        assert!(Number::operand("5000000000.1").unwrap_err().starts_with("Value must be between"));
        assert!(Number::operand("0.10000000000000000001").unwrap_err().starts_with("Cannot compare"));
        assert_eq!(Number::literal("1e999"), None);
    }
}
