//! A topology as a picture: boxes for nodes, rounded ones for networks, a line for each interface.

use super::layout::{Layout, Thing, layout};
use super::{NetworkView, NodeView, PortView, State, View};

/// Sizes in pixels.
const COLUMN: f64 = 200.0;
const ROW: f64 = 76.0;
const BOX: (f64, f64) = (112.0, 48.0);
const MARGIN: f64 = 24.0;
/// How many letters of a fault fit between two boxes, and how far its lines are apart.
const FITS: usize = 16;
const LINE: f64 = 11.0;
/// Room for the title.
const TOP: f64 = 56.0;

const STYLE: &str = "text{font:12px sans-serif;fill:#222;text-anchor:middle}\
.t{font-size:16px;font-weight:bold;text-anchor:start}.d{text-anchor:start;fill:#555}\
.s{font-size:10px;fill:#555}.l{text-anchor:end}.r{text-anchor:start}.bad{fill:#b00}\
rect{stroke:#445;fill:#fff}.net{fill:#e8eef7;stroke:#8ca0bf}\
.vm{fill:#fdfdfd}.router{fill:#fff4dc}.tester{fill:#e9f6e6}\
.up{stroke:#1a7f37;stroke-width:2}.down{stroke:#c00;stroke-width:2;stroke-dasharray:4 3}\
line{stroke:#8a93a5}.s{paint-order:stroke;stroke:#fff;stroke-width:2}line.bad{stroke:#b00;stroke-dasharray:6 3}";

/// The picture, as a file of its own.
pub fn svg(view: &View) -> String {
    let layout = layout(view);
    let width = (2.0 * MARGIN + (layout.columns.max(2) - 1) as f64 * COLUMN + BOX.0).max(
        // The description is one line of text, some 6.5 pixels a letter.
        2.0 * MARGIN + 6.5 * view.description.chars().count() as f64,
    );
    let height = TOP + MARGIN + layout.rows.max(1) as f64 * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" style=\"stroke:none\"/>\n\
         <text class=\"t\" x=\"{MARGIN}\" y=\"24\">{}</text>\n\
         <text class=\"d\" x=\"{MARGIN}\" y=\"42\">{}</text>\n",
        escaped(&view.name),
        escaped(&view.description)
    );
    for node in &view.nodes {
        text += &node.drawn().map(|port| line(&layout, node, port)).collect::<String>();
    }
    text += &view.drawn().map(|network| network_box(&layout, network)).collect::<String>();
    text += &view.nodes.iter().map(|node| node_box(&layout, node)).collect::<String>();
    for node in &view.nodes {
        text += &node.drawn().map(|port| faults(&layout, node, port)).collect::<String>();
    }
    text + "</svg>\n"
}

/// The middle of a thing's box.
fn centre(layout: &Layout, thing: Thing) -> Option<(f64, f64)> {
    let (column, row) = layout.places.get(&thing)?;
    let x = MARGIN + BOX.0 / 2.0 + *column as f64 * COLUMN;
    Some((x, TOP + (row + 0.5) * ROW))
}

/// Lines leave a box at places of their own, in the order of where they go, so that the names of
/// interfaces at their ends don't meet.
fn offset(layout: &Layout, node: &NodeView, port: &PortView) -> f64 {
    let place = |port: &PortView| layout.places.get(&Thing::Network(port.network)).copied();
    let own = layout.places.get(&Thing::Node(node.number)).map(|(column, _)| *column);
    let right = |place: (usize, f64)| Some(place.0) > own;
    let Some(here) = place(port) else { return 0.0 };
    let side: Vec<f64> = node
        .drawn()
        .filter_map(place)
        .filter(|other| right(*other) == right(here))
        .map(|(_, row)| row)
        .collect();
    let above = side.iter().filter(|row| **row < here.1).count() as f64;
    let step = (BOX.1 / side.len() as f64).min(13.0);
    (above - (side.len() as f64 - 1.0) / 2.0) * step
}

fn line(layout: &Layout, node: &NodeView, port: &PortView) -> String {
    let ends =
        centre(layout, Thing::Node(node.number)).zip(centre(layout, Thing::Network(port.network)));
    let Some(((x1, y1), (x2, y2))) = ends else { return String::new() };
    let way = if x2 > x1 { 1.0 } else { -1.0 };
    let (x1, x2) = (x1 + way * BOX.0 / 2.0, x2 - way * BOX.0 / 2.0);
    let y1 = y1 + offset(layout, node, port);
    let bad = !port.impaired.is_empty() || port.state == State::Down;
    let class = if bad { " class=\"bad\"" } else { "" };
    let mut text =
        format!("<line{class} x1=\"{x1:.0}\" y1=\"{y1:.0}\" x2=\"{x2:.0}\" y2=\"{y2:.0}\"/>\n");
    // At the box, so that names of interfaces keep to the height of their node.
    let side = if way > 0.0 { "r" } else { "l" };
    let (x, y) = (x1 + way * 4.0, y1 + 3.5);
    text +=
        &format!("<text class=\"s {side}\" x=\"{x:.0}\" y=\"{y:.0}\">{}</text>\n", port.interface);
    text
}

/// What is wrong with a line, beside its middle; above all else, so that no box hides it.
fn faults(layout: &Layout, node: &NodeView, port: &PortView) -> String {
    let why = if port.state == State::Down { "down" } else { port.impaired.as_str() };
    let ends =
        centre(layout, Thing::Node(node.number)).zip(centre(layout, Thing::Network(port.network)));
    let (Some(((x1, y1), (x2, y2))), false) = (ends, why.is_empty()) else { return String::new() };
    let lines: Vec<String> = why.split("; ").flat_map(broken).collect();
    // Below the line, since the name of the interface stands on it.
    let (x, top) = (f64::midpoint(x1, x2), f64::midpoint(y1, y2) + LINE + 2.0);
    let line = |(i, line): (usize, &String)| {
        let y = top + i as f64 * LINE;
        let text = escaped(line);
        format!("<text class=\"s bad\" x=\"{x:.0}\" y=\"{y:.0}\">{text}</text>\n")
    };
    lines.iter().enumerate().map(line).collect()
}

/// Words in lines that fit between two boxes.
fn broken(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= FITS => *line += &format!(" {word}"),
            _ => lines.push(word.into()),
        }
    }
    lines
}

fn network_box(layout: &Layout, network: &NetworkView) -> String {
    let Some(middle) = centre(layout, Thing::Network(network.number)) else {
        return String::new();
    };
    let below = network.ipv4.as_deref().unwrap_or("no addresses");
    labelled(middle, "net", 16.0, &format!("network {}", network.number), below)
}

fn node_box(layout: &Layout, node: &NodeView) -> String {
    let Some(middle) = centre(layout, Thing::Node(node.number)) else { return String::new() };
    let state = match node.state {
        State::Unknown => "",
        State::Up => " up",
        State::Down => " down",
    };
    let class = format!("{}{state}", node.role);
    labelled(middle, &class, 3.0, &node.name, &node.role)
}

fn labelled((x, y): (f64, f64), class: &str, round: f64, name: &str, below: &str) -> String {
    let (w, h) = BOX;
    let (left, top) = (x - w / 2.0, y - h / 2.0);
    format!(
        "<rect class=\"{class}\" x=\"{left:.0}\" y=\"{top:.0}\" width=\"{w:.0}\" \
         height=\"{h:.0}\" rx=\"{round:.0}\"/>\n\
         <text x=\"{x:.0}\" y=\"{:.0}\">{}</text>\n\
         <text class=\"s\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>\n",
        y - 3.0,
        escaped(name),
        y + 12.0,
        escaped(below)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
