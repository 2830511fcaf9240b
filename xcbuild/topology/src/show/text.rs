//! A topology as text: a table of networks, a table of nodes.

use super::{State, View};

/// The tables, the topology's name and description before them.
pub fn text(view: &View) -> String {
    let mut networks = vec![["network", "IPv4", "IPv6", "MTU", ""].map(String::from)];
    networks.extend(view.networks.iter().map(|network| {
        [
            network.number.to_string(),
            network.ipv4.clone().unwrap_or_else(|| "-".into()),
            network.ipv6.clone().unwrap_or_else(|| "-".into()),
            network.mtu.to_string(),
            network.description.clone(),
        ]
    }));
    let mut ports =
        vec![["node", "role", "interface", "network", "IPv4", "IPv6", ""].map(String::from)];
    for node in &view.nodes {
        for (i, port) in node.ports.iter().enumerate() {
            let first = |text: &str| if i == 0 { text.to_string() } else { String::new() };
            let own = word(port.state).filter(|_| port.state != node.state);
            let state = [word(node.state).filter(|_| i == 0), own];
            let mut notes: Vec<&str> = state.into_iter().flatten().collect();
            notes.extend(Some(port.impaired.as_str()).filter(|text| !text.is_empty()));
            ports.push([
                first(&node.name),
                first(&node.role),
                port.interface.clone(),
                port.network.to_string(),
                port.ipv4.clone().unwrap_or_else(|| "-".into()),
                port.ipv6.clone().unwrap_or_else(|| "-".into()),
                notes.join(", "),
            ]);
        }
    }
    format!("{}: {}\n\n{}\n{}", view.name, view.description, table(&networks), table(&ports))
}

fn word(state: State) -> Option<&'static str> {
    match state {
        State::Unknown => None,
        State::Up => Some("up"),
        State::Down => Some("down"),
    }
}

/// Rows with columns as wide as their widest entry; no blanks at the ends of lines.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let line = |row: &[String; N]| {
        let cells =
            row.iter().enumerate().map(|(i, cell)| format!("{cell:<width$}", width = width(i)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}
