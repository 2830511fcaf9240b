//! A topology as a graph for other programs to draw: Graphviz and Mermaid.

use super::{PortView, State, View};

/// For Graphviz: `dot -Tsvg`.
pub fn dot(view: &View) -> String {
    let mut text =
        format!("graph \"{}\" {{\n  rankdir=LR\n  node [fontname=\"sans-serif\"]\n", view.name);
    for network in view.drawn() {
        let label = network_label(network.number, network.ipv4.as_deref(), "\\n");
        let n = network.number;
        text += &format!(
            "  n{n} [shape=box style=\"rounded,filled\" fillcolor=\"#e8eef7\" label=\"{label}\"]\n"
        );
    }
    for node in &view.nodes {
        let color = match node.state {
            State::Unknown => "black",
            State::Up => "darkgreen",
            State::Down => "red",
        };
        let (n, name, role) = (node.number, &node.name, &node.role);
        text += &format!("  v{n} [shape=box color={color} label=\"{name}\\n{role}\"]\n");
        for port in node.drawn() {
            let style = if port.state == State::Down { " style=dotted" } else { "" };
            let label = port_label(port, "\\n");
            let network = port.network;
            text += &format!("  v{n} -- n{network} [taillabel=\"{label}\" fontsize=9{style}]\n");
        }
    }
    text + "}\n"
}

/// For Mermaid, as Markdown viewers draw it.
pub fn mermaid(view: &View) -> String {
    let mut text = String::from("graph LR\n");
    for network in view.drawn() {
        let label = network_label(network.number, network.ipv4.as_deref(), "<br/>");
        text += &format!("  n{}([\"{label}\"])\n", network.number);
    }
    for node in &view.nodes {
        text += &format!("  v{}[\"{}<br/>{}\"]\n", node.number, node.name, node.role);
    }
    for node in &view.nodes {
        for port in node.drawn() {
            let line = if port.state == State::Down { "-.-" } else { "---" };
            let label = port_label(port, "<br/>");
            text += &format!("  v{} {line}|{label}| n{}\n", node.number, port.network);
        }
    }
    for node in view.nodes.iter().filter(|node| node.state == State::Down) {
        text += &format!("  style v{} stroke:#c00\n", node.number);
    }
    text
}

fn network_label(number: u8, ipv4: Option<&str>, newline: &str) -> String {
    let subnet = ipv4.map(|subnet| format!("{newline}{subnet}")).unwrap_or_default();
    format!("network {number}{subnet}")
}

fn port_label(port: &PortView, newline: &str) -> String {
    let bad = if port.impaired.is_empty() { "" } else { newline };
    format!("{}{bad}{}", port.interface, port.impaired)
}
