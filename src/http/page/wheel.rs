//! The picture as SVG: drawn twice, for wide and for narrow screens, of which the style sheet shows one; nothing is scaled.
//!
//! Every team, spoke and route is a link with a name, so that it can be reached without a mouse and without seeing it. The table of
//! routes below says the same in words.

use super::super::routes::RouteState;
use super::bits::{class, icon, shape};
use super::filter::Filter;
use super::layout::{Form, Point, Side, Wheel, ports};
use super::links;
use super::look::Look;
use super::picture::{Group, Line, Node, Picture, bundle, name_that_fits, note_that_fits, told_counts};
use maud::{Markup, html};
use strum::IntoEnumIterator as _;

/// All hubs.
pub(super) fn section(look: &Look<'_>, filter: &Filter) -> Markup {
    let pictures: Vec<Picture<'_>> =
        look.topology.hubs.iter().map(|(name, hub)| Picture::of(look, name, hub, filter)).collect();
    let shown = |picture: &&Picture<'_>| filter.hub.as_deref().is_none_or(|hub| hub == picture.name.as_str());
    html! {
        section #wheel data-part aria-labelledby="wheel-title" {
            h2 #wheel-title { "The wheel" }
            (legend(look, filter))
            .wheels {
                @for picture in pictures.iter().filter(shown) { (hub(look, picture)) }
                @if !pictures.iter().any(|picture| shown(&picture)) { p { "There is no hub of this name." } }
            }
        }
    }
}

/// What lines and marks mean, each with how many there are; each a filter.
fn legend(look: &Look<'_>, filter: &Filter) -> Markup {
    let number = |state: RouteState| look.rows.iter().filter(|row| row.state == state).count();
    html! {
        ul.legend aria-label="Routes by state" {
            @for state in RouteState::iter() {
                @let name = <&str>::from(state);
                @let is_chosen = filter.state.as_deref() == Some(name);
                li {
                    a class=(class(state)) href=(links::state(filter, state)) aria-current=[is_chosen.then_some("true")] {
                        svg width="34" height="14" viewBox="0 0 34 14" aria-hidden="true" focusable="false" {
                            path.line d="M1 7 H33" {}
                        }
                        (icon(state)) (number(state)) " " (name)
                    }
                }
            }
        }
    }
}

fn hub(look: &Look<'_>, picture: &Picture<'_>) -> Markup {
    let bus = format!("bus {} in {}", picture.hub.bus, look.scope(&picture.hub.scope));
    let title = format!("hub-{}", picture.name);
    html! {
        figure.hub aria-labelledby=(title) {
            figcaption {
                h3 id=(title) { "Hub " a href=(picture.href()) { (picture.name) } }
                p.quiet { (bus) "; " (told_counts(&picture.counts, &[])) }
                @if picture.bundled {
                    p.quiet { "A line here is all routes of a team; drawn alone are those that do not deliver, and those that a filter asks for." }
                }
                @if picture.undrawn > 0 {
                    p.quiet { (picture.undrawn) " more are not drawn; the table has them." }
                }
            }
            @for form in [Form::Wide, Form::Narrow] { (drawing(picture, form)) }
        }
    }
}

fn drawing(picture: &Picture<'_>, form: Form) -> Markup {
    let wheel = picture.layout(form);
    let class = match form {
        Form::Wide => "wide",
        Form::Narrow => "narrow",
    };
    let name = format!("Hub {}: its spokes by team, and the routes through it", picture.name);
    html! {
        svg.wheel.(class) role="group" aria-label=(name) width=(wheel.width) height=(format!("{:.0}", wheel.height))
            viewBox=(format!("0 0 {} {:.0}", wheel.width, wheel.height)) {
            path.rim d=(wheel.whole()) {}
            (middle(picture, &wheel))
            @if picture.bundled { @for (group, place) in picture.groups.iter().zip(&wheel.places) {
                (team_line(&wheel, group, place.side, (place.top, place.bottom)))
            } }
            (lines(picture, &wheel))
            (hub_name(picture, &wheel))
            @for (group, place) in picture.groups.iter().zip(&wheel.places) {
                @if let Some(label) = place.label { (team_name(&wheel, group, place.side, label)) }
            }
            (spokes(picture, &wheel))
        }
    }
}

fn middle(picture: &Picture<'_>, wheel: &Wheel) -> Markup {
    let class = picture.state.map_or("", class);
    html! { circle.hub.(class) cx=(wheel.hub.x) cy=(wheel.hub.y) r=(wheel.hub_radius) {} }
}

fn hub_name(picture: &Picture<'_>, wheel: &Wheel) -> Markup {
    let letters = (wheel.hub_radius * 2.0 / 8.0) as usize;
    html! {
        a href=(picture.href()) aria-label=(format!("Hub {}", picture.name)) {
            text.hub-name x=(wheel.hub.x) y=(wheel.hub.y + 4.5) text-anchor="middle" {
                (super::bits::cut(picture.name.as_str(), letters))
            }
        }
    }
}

fn lines(picture: &Picture<'_>, wheel: &Wheel) -> Markup {
    let spots = picture.spots(wheel);
    // Each line has a port of its own at each node.
    let mut used = vec![0_usize; spots.len()];
    let mut wanted = vec![0_usize; spots.len()];
    for node in picture.lines.iter().flat_map(|line| line.from.iter().chain([&line.to])) {
        if let Some(number) = wanted.get_mut(*node) {
            *number += 1;
        }
    }
    let mut port = |node: usize| -> Option<Point> {
        let (side, span) = spots.get(node)?;
        let all = ports(*span, *wanted.get(node)?);
        let next = used.get_mut(node)?;
        let y = all.get(*next).copied()?;
        *next += 1;
        Some(wheel.rim(*side, y))
    };
    html! {
        @for line in &picture.lines {
            @let from: Vec<Point> = line.from.iter().filter_map(|node| port(*node)).collect();
            @if let Some(to) = port(line.to) { (route(wheel, line, &from, to)) }
        }
    }
}

fn route(wheel: &Wheel, line: &Line<'_>, from: &[Point], to: Point) -> Markup {
    let row = line.row;
    let ways: Vec<_> = from.iter().map(|from| wheel.through(*from, to)).collect();
    let (path, mark) = match ways.first() {
        Some(first) => (ways.iter().map(super::layout::Way::path).collect::<Vec<_>>().join(" "), first.mark()),
        None => {
            let (rim, edge) = wheel.straight(to);
            let mark = Point { x: f64::midpoint(rim.x, edge.x), y: f64::midpoint(rim.y, edge.y) };
            (format!("M{:.1} {:.1} L{:.1} {:.1}", edge.x, edge.y, rim.x, rim.y), mark)
        }
    };
    let nodes: Vec<String> = line.from.iter().chain([&line.to]).map(ToString::to_string).collect();
    let name = format!("Route {}: {}", row.id, <&str>::from(row.state));
    html! {
        a.route.(class(row.state)) .fade[line.fades] href=(links::route(row.id)) aria-label=(name) data-n=(nodes.join(" ")) {
            title { (name) }
            path.hit d=(path) {}
            path.line d=(path) {}
            path.tip d=(wheel.tip(to)) {}
            @if row.state != RouteState::Delivering { (marked(mark, row.state)) }
        }
    }
}

/// The shape of a state, on a disc.
fn marked(at: Point, state: RouteState) -> Markup {
    html! {
        g.mark transform=(format!("translate({:.1} {:.1})", at.x - 7.0, at.y - 7.0)) {
            circle.disc cx="7" cy="7" r="8" {}
            (shape(state))
        }
    }
}

/// All routes of a team that deliver, as one line to the hub and one from it.
fn team_line(wheel: &Wheel, group: &Group, side: Side, (top, bottom): (f64, f64)) -> Markup {
    let middle = f64::midpoint(top, bottom);
    let half = ((bottom - top) / 4.0).min(3.0);
    let strength = |routes: usize| 0.7 + (routes as f64).ln_1p() * 0.3;
    let path = |y: f64| {
        let (rim, edge) = wheel.straight(wheel.rim(side, y));
        format!("M{:.1} {:.1} L{:.1} {:.1}", rim.x, rim.y, edge.x, edge.y)
    };
    html! {
        a.bundle .fade[group.line_fades] href=(group.href) tabindex="-1" aria-label=(bundle(group)) {
            title { (bundle(group)) }
            @if group.publishes > 0 { path.line d=(path(middle - half)) stroke-width=(format!("{:.1}", strength(group.publishes))) {} }
            @if group.takes > 0 { path.line.takes d=(path(middle + half)) stroke-width=(format!("{:.1}", strength(group.takes))) {} }
        }
    }
}

fn anchor(side: Side) -> &'static str {
    match side {
        Side::Left => "end",
        Side::Right => "start",
    }
}

fn team_name(wheel: &Wheel, group: &Group, side: Side, at: Point) -> Markup {
    /// Of a mark before the name.
    const MARK: f64 = 18.0;
    // A mark stands for the state's word, which is read out.
    let (step, mark_at) = match (group.state, side) {
        (None, _) => (0.0, 0.0),
        (Some(_), Side::Left) => (-MARK, at.x - MARK / 2.0 + 1.0),
        (Some(_), Side::Right) => (MARK, at.x + MARK / 2.0 - 1.0),
    };
    let name = name_that_fits(wheel, side, at.y, &group.name);
    // What is read out begins with what is seen, so that it can be called by that.
    let state = group.state.map(|state| format!(", {}", <&str>::from(state))).unwrap_or_default();
    let told = format!("{name}{state}: {}", bundle(group));
    html! {
        a.name.(group.state.map_or("", class)) .fade[group.fades] href=(group.href) aria-label=(told) {
            title { (told) }
            @if let Some(state) = group.state { (marked(Point { x: mark_at, y: at.y }, state)) }
            text x=(format!("{:.1}", at.x + step)) y=(format!("{:.1}", at.y + 4.5)) text-anchor=(anchor(side)) { (name) }
        }
    }
}

fn spokes(picture: &Picture<'_>, wheel: &Wheel) -> Markup {
    let spots = picture.spots(wheel);
    html! {
        @for (number, (node, (side, span))) in picture.nodes.iter().zip(&spots).enumerate() {
            (spoke(wheel, node, number, *side, *span))
        }
    }
}

fn spoke(wheel: &Wheel, node: &Node, number: usize, side: Side, (from, to): (f64, f64)) -> Markup {
    let at = wheel.label(side, f64::midpoint(from, to));
    let line = html! { path.node d=(wheel.arc(side, from, to)) {} };
    let state = node.state.map_or("", class);
    if !wheel.names_nodes {
        return html! {
            a.spoke.tick.(state) .fade[node.fades] .orphan[node.is_orphan] href=(node.href) aria-label=(node.told) data-at=(number)
                tabindex="-1" { title { (node.told) } (line) }
        };
    }
    let (name, note) = (name_that_fits(wheel, side, at.y, &node.name), note_that_fits(wheel, side, at.y, &node.note));
    let told = format!("{name} {note}: {}", node.told);
    let text = |class: &str, below: f64, text: &str| {
        html! {
            text.(class) x=(format!("{:.1}", at.x)) y=(format!("{:.1}", at.y + below)) text-anchor=(anchor(side)) { (text) }
        }
    };
    html! {
        a.spoke.(state) .fade[node.fades] .orphan[node.is_orphan] href=(node.href) aria-label=(told) data-at=(number) {
            title { (told) } (line) (text("name", -2.5, &name)) " " (text("note", 12.5, &note))
        }
    }
}
