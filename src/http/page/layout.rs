//! Where things stand in the picture of one hub, in pixels: pure functions of how many things there are.
//!
//! The rim is an ellipse about the hub. Teams stand along it from top to bottom, each with its spokes, so that every label has a
//! line of its own beside the rim and none can touch another. A wide picture has teams on both sides and a narrow one on the right
//! alone: half a wheel. Nothing is ever scaled: a picture with more in it is taller, up to a height, and then names fewer.

/// How the picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For wide screens: a whole wheel.
    Wide,
    /// For narrow ones: half a wheel, with all names on the right.
    Narrow,
}

/// A team at the rim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Spokes and whatever else of it is at the hub.
    pub(super) nodes: usize,
    /// Whether it should be named before others, where there is no room for all.
    pub(super) matters: bool,
}

/// A point, from the upper left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Which side of the wheel something is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Where a team stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) side: Side,
    /// From where to where its part of the rim goes.
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Each of its nodes: from where to where.
    pub(super) nodes: Vec<(f64, f64)>,
    /// Where its name stands, if it is named as a team: the middle of the line. Without one, its nodes are named one by one.
    pub(super) label: Option<Point>,
}

/// The whole picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wheel {
    pub(super) form: Form,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) hub: Point,
    pub(super) hub_radius: f64,
    /// Whether each node has its own name, or only teams do.
    pub(super) names_nodes: bool,
    pub(super) places: Vec<Place>,
    /// Teams that there was no room to name.
    pub(super) unnamed: usize,
    radii: (f64, f64),
}

/// Nodes up to which each is named.
const NAMED_NODES_MAX: usize = 36;
/// Two lines of text for each node.
const NODE_ROW: f64 = 42.0;
/// One line of text for each team, where nodes are ticks.
const TEAM_ROW: f64 = 19.0;
/// Between two teams.
const GAP: f64 = 8.0;
/// Of a spoke without a name.
const TICK: f64 = 4.0;
/// The rim is not higher than this where nodes have no names.
const DENSE_HEIGHT_MAX: f64 = 860.0;
/// A wheel of few spokes is still a wheel.
const HEIGHT_MIN: f64 = 280.0;
/// The part of the rim that one named node takes, at most.
const NODE_SPAN_MAX: f64 = 40.0;
/// Beyond the first and the last row.
const MARGIN: f64 = 16.0;
/// How much further than need be a few spokes stand apart.
const STRETCH_MAX: f64 = 1.7;
/// Between the rim and a label.
const LABEL_GAP: f64 = 14.0;

/// Lays out one hub's picture.
pub(super) fn wheel(form: Form, groups: &[Group]) -> Wheel {
    let nodes: usize = groups.iter().map(|group| group.nodes).sum();
    let names_nodes = nodes <= NAMED_NODES_MAX;
    let wanted = |group: &Group| height(group, names_nodes);
    let sides = sides(form, groups, wanted);
    let on = |side: Side| groups.iter().zip(&sides).filter(move |(_, at)| **at == side).map(|(group, _)| group);
    let rows = |side: Side| on(side).map(wanted).sum::<f64>();
    let tallest = rows(Side::Left).max(rows(Side::Right));
    let most = if names_nodes { f64::INFINITY } else { DENSE_HEIGHT_MAX };
    let body = tallest.clamp(HEIGHT_MIN, most);
    // The rim goes on beyond the first row, so that nothing stands where it turns back.
    let upright = body / 2.0 * 1.06 + MARGIN;
    let height = 2.0 * upright + 4.0;
    let (width, across, hub_x, hub_radius) = match form {
        Form::Wide => (650.0, 170.0, 325.0, 44.0),
        Form::Narrow => (340.0, 134.0, 46.0, 38.0),
    };
    let hub = Point { x: hub_x, y: height / 2.0 };
    let radii = (upright.min(across), upright);
    let mut wheel = Wheel { form, width, height, hub, hub_radius, names_nodes, places: Vec::new(), unnamed: 0, radii };
    let mut from = [Side::Left, Side::Right].map(|side| {
        // Too many are pressed together, and few stand apart.
        let share = if rows(side) > 0.0 { (body / rows(side)).min(STRETCH_MAX) } else { 1.0 };
        (side, (height - rows(side) * share) / 2.0, share)
    });
    for (group, side) in groups.iter().zip(&sides) {
        let Some((_, top, share)) = from.iter_mut().find(|(at, ..)| at == side) else { continue };
        let whole = wanted(group) * *share;
        let place = wheel.place(group, *side, *top, whole, GAP.min(whole / 3.0));
        *top += whole;
        wheel.places.push(place);
    }
    if !names_nodes {
        wheel.name_teams(groups);
    }
    wheel
}

fn height(group: &Group, names_nodes: bool) -> f64 {
    let nodes = group.nodes as f64;
    if names_nodes { nodes * NODE_ROW + GAP } else { (nodes * TICK + GAP).max(TEAM_ROW) }
}

/// Which side each team is on: the first ones left, as soon as half of the height is used the others right.
fn sides(form: Form, groups: &[Group], height: impl Fn(&Group) -> f64) -> Vec<Side> {
    let whole: f64 = groups.iter().map(&height).sum();
    let mut used = 0.0;
    let side = |group: &Group| {
        used += height(group);
        let is_left = form == Form::Wide && used - height(group) / 2.0 <= whole / 2.0;
        if is_left { Side::Left } else { Side::Right }
    };
    groups.iter().map(side).collect()
}

impl Wheel {
    fn place(&self, group: &Group, side: Side, top: f64, whole: f64, gap: f64) -> Place {
        let (top, bottom) = (top + gap / 2.0, top + whole - gap / 2.0);
        let row = (bottom - top) / group.nodes.max(1) as f64;
        let inset = if self.names_nodes { ((row - NODE_SPAN_MAX) / 2.0).max(5.0) } else { (row / 8.0).min(0.5) };
        let node = |number: usize| {
            let from = top + row * number as f64;
            (from + inset, from + row - inset)
        };
        Place { side, top, bottom, nodes: (0..group.nodes).map(node).collect(), label: None }
    }

    /// Names teams where there is room: those that matter first, then the larger ones.
    fn name_teams(&mut self, groups: &[Group]) {
        let mut order: Vec<usize> = (0..groups.len()).collect();
        let rank = |number: &usize| groups.get(*number).map(|group| (!group.matters, std::cmp::Reverse(group.nodes)));
        order.sort_by_key(rank);
        let mut taken: Vec<(Side, f64)> = Vec::new();
        for number in order {
            let Some(place) = self.places.get(number) else { continue };
            let (side, y) = (place.side, f64::midpoint(place.top, place.bottom));
            let is_free = !taken.iter().any(|(at, other)| *at == side && (other - y).abs() < TEAM_ROW - 1.0);
            if !is_free {
                self.unnamed += 1;
                continue;
            }
            taken.push((side, y));
            let label = self.label(side, y);
            if let Some(place) = self.places.get_mut(number) {
                place.label = Some(label);
            }
        }
    }

    /// The rim at this height.
    pub(super) fn rim(&self, side: Side, y: f64) -> Point {
        let (across, upright) = self.radii;
        let part = ((y - self.hub.y) / upright).clamp(-1.0, 1.0);
        let out = across * (1.0 - part * part).sqrt();
        let x = match side {
            Side::Left => self.hub.x - out,
            Side::Right => self.hub.x + out,
        };
        Point { x, y }
    }

    /// The whole rim, or its right half, as an SVG path.
    pub(super) fn whole(&self) -> String {
        let (top, bottom) = (self.hub.y - self.radii.1, self.hub.y + self.radii.1);
        match self.form {
            Form::Wide => format!("{} {}", self.arc(Side::Right, top, bottom), self.arc(Side::Left, top, bottom)),
            Form::Narrow => self.arc(Side::Right, top, bottom),
        }
    }

    /// Where a text beside the rim begins (on the right) or ends (on the left).
    pub(super) fn label(&self, side: Side, y: f64) -> Point {
        let rim = self.rim(side, y);
        let gap = match side {
            Side::Left => -LABEL_GAP,
            Side::Right => LABEL_GAP,
        };
        Point { x: rim.x + gap, y }
    }

    /// Letters that fit beside the rim at this height, where one takes so many pixels.
    pub(super) fn letters(&self, side: Side, y: f64, pixels: f64) -> usize {
        let at = self.label(side, y).x;
        let room = match side {
            Side::Left => at,
            Side::Right => self.width - at,
        };
        (room / pixels).floor().max(1.0) as usize
    }

    /// A part of the rim, as an SVG path.
    pub(super) fn arc(&self, side: Side, from: f64, to: f64) -> String {
        let (across, upright) = self.radii;
        let (start, end) = (self.rim(side, from), self.rim(side, to));
        let sweep = u8::from(side == Side::Right);
        format!("M{} A{across:.1} {upright:.1} 0 0 {sweep} {}", text(start), text(end))
    }

    /// From a place on the rim through the hub to another.
    pub(super) fn through(&self, from: Point, to: Point) -> Way {
        let (out, inward) = (self.towards(from), self.towards(to));
        let middle = Point { x: out.x + inward.x, y: out.y + inward.y };
        let far = middle.x.hypot(middle.y);
        // Where it goes through the hub: near the side that both ends are on.
        let depth = if far > 0.05 { self.hub_radius * 0.62 * (far / 2.0) / far } else { 0.0 };
        let at = Point { x: self.hub.x + middle.x * depth, y: self.hub.y + middle.y * depth };
        let turn = Point { x: inward.x - out.x, y: inward.y - out.y };
        let long = turn.x.hypot(turn.y).max(0.05);
        let swing = self.hub_radius * 0.55;
        let turn = Point { x: turn.x / long * swing, y: turn.y / long * swing };
        Way {
            from,
            controls: [
                self.inward(from),
                Point { x: at.x - turn.x, y: at.y - turn.y },
                Point { x: at.x + turn.x, y: at.y + turn.y },
                self.inward(to),
            ],
            at,
            to,
        }
    }

    /// A line between a place on the rim and the hub's edge.
    pub(super) fn straight(&self, rim: Point) -> (Point, Point) {
        let out = self.towards(rim);
        (rim, Point { x: self.hub.x + out.x * self.hub_radius, y: self.hub.y + out.y * self.hub_radius })
    }

    /// The tip of a route: a triangle that points outward.
    pub(super) fn tip(&self, at: Point) -> String {
        let out = self.towards(at);
        let (long, half) = (7.0, 3.2);
        let back = Point { x: at.x - out.x * long, y: at.y - out.y * long };
        let one = Point { x: back.x - out.y * half, y: back.y + out.x * half };
        let other = Point { x: back.x + out.y * half, y: back.y - out.x * half };
        format!("M{} L{} L{} Z", text(at), text(one), text(other))
    }

    /// The direction from the hub to a point, of length 1.
    fn towards(&self, point: Point) -> Point {
        let (x, y) = (point.x - self.hub.x, point.y - self.hub.y);
        let long = x.hypot(y).max(1.0);
        Point { x: x / long, y: y / long }
    }

    fn inward(&self, point: Point) -> Point {
        Point { x: self.hub.x + (point.x - self.hub.x) * 0.45, y: self.hub.y + (point.y - self.hub.y) * 0.45 }
    }
}

/// A route's line: two curves that meet in the hub.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    from: Point,
    controls: [Point; 4],
    at: Point,
    to: Point,
}

impl Way {
    /// As an SVG path.
    pub(super) fn path(&self) -> String {
        let [one, two, three, four] = self.controls.map(text);
        format!("M{} C{one} {two} {} C{three} {four} {}", text(self.from), text(self.at), text(self.to))
    }

    /// A point of the way out, where a mark stands clear of the hub.
    pub(super) fn mark(&self) -> Point {
        let [_, _, three, four] = self.controls;
        let mix = |one: f64, two: f64, three: f64, four: f64| {
            const T: f64 = 0.66;
            const S: f64 = 1.0 - T;
            S * S * S * one + 3.0 * S * S * T * two + 3.0 * S * T * T * three + T * T * T * four
        };
        Point { x: mix(self.at.x, three.x, four.x, self.to.x), y: mix(self.at.y, three.y, four.y, self.to.y) }
    }
}

/// `number` ports along a node, one for each route that ends or begins there.
pub(super) fn ports((from, to): (f64, f64), number: usize) -> Vec<f64> {
    const BETWEEN: f64 = 6.0;
    let middle = f64::midpoint(from, to);
    let spread = (BETWEEN * number.saturating_sub(1) as f64).min(to - from);
    let between = if number > 1 { spread / (number - 1) as f64 } else { 0.0 };
    (0..number).map(|port| middle - spread / 2.0 + between * port as f64).collect()
}

fn text(point: Point) -> String {
    format!("{:.1} {:.1}", point.x, point.y)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn groups(sizes: &[usize]) -> Vec<Group> {
        sizes.iter().map(|nodes| Group { nodes: *nodes, matters: false }).collect()
    }

    #[test]
    fn rows_of_one_side_never_touch() {
        for form in [Form::Wide, Form::Narrow] {
            for sizes in [vec![1], vec![1, 1, 1], vec![3, 1, 2, 1, 5], vec![10; 50], vec![1; 500], vec![500]] {
                let wheel = wheel(form, &groups(&sizes));
                for side in [Side::Left, Side::Right] {
                    let here: Vec<&Place> = wheel.places.iter().filter(|place| place.side == side).collect();
                    let nodes: Vec<(f64, f64)> = here.iter().flat_map(|place| place.nodes.clone()).collect();
                    for pair in nodes.windows(2) {
                        assert!(pair[0].1 <= pair[1].0, "{form:?} {sizes:?}: {pair:?}");
                    }
                    let mut labels: Vec<f64> = here.iter().filter_map(|place| Some(place.label?.y)).collect();
                    labels.sort_by(f64::total_cmp);
                    assert!(labels.windows(2).all(|pair| pair[1] - pair[0] >= TEAM_ROW - 1.0), "{form:?} {sizes:?}");
                }
            }
        }
    }

    #[test]
    fn everything_is_within_the_picture() {
        for form in [Form::Wide, Form::Narrow] {
            for sizes in [vec![1], vec![2, 2], vec![7; 5], vec![10; 50], vec![1; 2_000]] {
                let wheel = wheel(form, &groups(&sizes));
                let nodes: usize = sizes.iter().sum();
                let named = nodes as f64 * NODE_ROW + sizes.len() as f64 * GAP;
                let rows = if nodes <= NAMED_NODES_MAX { named.max(HEIGHT_MIN) } else { DENSE_HEIGHT_MAX };
                assert!(wheel.height <= rows * 1.06 + 3.0 * MARGIN, "{form:?} {sizes:?}: {}", wheel.height);
                for place in &wheel.places {
                    assert!(place.top >= 0.0 && place.bottom <= wheel.height, "{form:?} {sizes:?}: {place:?}");
                    let rim = wheel.rim(place.side, place.top);
                    assert!((0.0..=wheel.width).contains(&rim.x));
                    assert!(wheel.letters(place.side, place.top, 8.6) >= 14, "{form:?} {sizes:?}: no room for a name");
                }
            }
        }
    }

    #[test]
    fn a_narrow_picture_is_half_a_wheel() {
        let wheel = wheel(Form::Narrow, &groups(&[1, 2, 3]));
        assert!(wheel.places.iter().all(|place| place.side == Side::Right));
    }

    #[test]
    fn what_matters_is_named_where_there_is_no_room_for_all() {
        let mut many = groups(&[1; 400]);
        many[123].matters = true;
        let wheel = wheel(Form::Wide, &many);
        assert!(wheel.unnamed > 0 && wheel.places[123].label.is_some());
        let named = wheel.places.iter().filter(|place| place.label.is_some()).count();
        assert_eq!(named + wheel.unnamed, 400);
    }

    #[test]
    fn every_route_goes_through_the_hub() {
        let wheel = wheel(Form::Wide, &groups(&[1; 9]));
        for from in &wheel.places {
            for to in &wheel.places {
                let way = wheel.through(wheel.rim(from.side, from.top), wheel.rim(to.side, to.bottom));
                let off = (way.at.x - wheel.hub.x).hypot(way.at.y - wheel.hub.y);
                assert!(off < wheel.hub_radius, "{off}");
            }
        }
    }

    #[test]
    fn ports_stay_on_their_node() {
        for number in 0..40 {
            let ports = ports((10.0, 40.0), number);
            assert_eq!(ports.len(), number);
            assert!(ports.iter().all(|port| (9.999..=40.001).contains(port)), "{ports:?}");
        }
    }
}
