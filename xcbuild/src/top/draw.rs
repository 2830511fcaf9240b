//! The screen of `top`: nodes above, networks and the chosen node's console below. Pure.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table, TableState};

use super::model::{NetworkRow, NodeRow};
use xc_cluster::status::NodeCondition;

/// All that is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// The cluster in a line.
    pub headline: String,
    /// The nodes.
    pub nodes: Vec<NodeRow>,
    /// The networks.
    pub networks: Vec<NetworkRow>,
    /// The place of the chosen node in the list.
    pub chosen: usize,
    /// The end of its console.
    pub console: String,
    /// Whether the console has the whole screen.
    pub whole: bool,
}

const KEYS: &str = "up/down: choose a node   enter: its console alone   q: leave";
const KEYS_OF_CONSOLE: &str = "enter, esc: back   q: leave";

/// Below this width, in columns, the nodes' table has no room for all that it could tell.
const NARROW: u16 = 90;
/// What it then leaves out: when a node was ready, and its port for ssh.
const LEFT_OUT: [&str; 2] = ["READY", "SSH"];

/// Draws it.
pub(crate) fn draw(view: &View, frame: &mut Frame<'_>) {
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(if view.whole { 0 } else { 4 }),
        Constraint::Fill(if view.whole { 100 } else { 1 }),
        Constraint::Length(1),
    ]);
    let [head, above, below, foot] = rows.areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(view.headline.as_str(), bold), head);
    let keys = if view.whole { KEYS_OF_CONSOLE } else { KEYS };
    frame.render_widget(Line::styled(keys, Style::new().fg(Color::DarkGray)), foot);
    if view.whole {
        frame.render_widget(console(view, below.height), below);
        return;
    }
    let mut chosen = TableState::new().with_selected(Some(view.chosen));
    frame.render_stateful_widget(nodes(view, above.width), above, &mut chosen);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(35), Constraint::Percentage(65)]).areas(below);
    frame.render_widget(networks(view), left);
    frame.render_widget(console(view, right.height), right);
}

fn nodes(view: &View, width: u16) -> Table<'_> {
    let heads = ["NODE", "ROLE", "STATE", "READY", "CPU", "RSS MiB", "RESTARTS", "SSH", "WRONG"];
    let shown = heads.map(|head| width >= NARROW || !LEFT_OUT.contains(&head));
    let row = |node: &NodeRow| {
        let cells = [
            node.name.clone(),
            node.role.clone(),
            node.condition.to_string(),
            node.ready.clone(),
            node.cpu.clone(),
            node.memory.clone(),
            node.restarts.to_string(),
            node.ssh.clone(),
            node.wrong.clone(),
        ];
        Row::new(only(shown, cells)).style(Style::new().fg(colour(node.condition)))
    };
    let [a, b, c, d, e, f, g, h] = [7, 7, 8, 8, 5, 9, 8, 19].map(Constraint::Length);
    let widths = only(shown, [a, b, c, d, e, f, g, h, Constraint::Fill(1)]);
    Table::new(view.nodes.iter().map(row), widths)
        .header(Row::new(only(shown, heads)).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::bordered().title("nodes"))
}

/// The columns that are shown.
fn only<T, const N: usize>(shown: [bool; N], columns: [T; N]) -> Vec<T> {
    columns.into_iter().zip(shown).filter_map(|(column, shown)| shown.then_some(column)).collect()
}

fn colour(condition: NodeCondition) -> Color {
    match condition {
        NodeCondition::Ready => Color::Green,
        NodeCondition::Booting | NodeCondition::Waiting => Color::Yellow,
        NodeCondition::Paused => Color::Cyan,
        NodeCondition::Failed | NodeCondition::Dead => Color::Red,
    }
}

fn networks(view: &View) -> Table<'_> {
    let row = |network: &NetworkRow| {
        let colour = if network.wrong.is_empty() { Color::Reset } else { Color::Red };
        let cells = [network.number.to_string(), network.nodes.clone(), network.wrong.clone()];
        Row::new(cells).style(Style::new().fg(colour))
    };
    let widths = [Constraint::Length(3), Constraint::Fill(2), Constraint::Fill(1)];
    Table::new(view.networks.iter().map(row), widths)
        .header(
            Row::new(["NET", "NODES", "WRONG AT"]).style(Style::new().add_modifier(Modifier::BOLD)),
        )
        .block(Block::bordered().title("networks"))
}

/// The last lines that fit.
fn console(view: &View, height: u16) -> Paragraph<'_> {
    let room = usize::from(height.saturating_sub(2));
    let lines: Vec<&str> = view.console.lines().collect();
    let last = &lines[lines.len().saturating_sub(room)..];
    let name = view.nodes.get(view.chosen).map_or("", |node| node.name.as_str());
    let lines = last.iter().map(|line| Line::raw(plain(line))).collect::<Vec<_>>();
    Paragraph::new(lines).block(Block::bordered().title(format!("console of {name}")))
}

/// A line without what would move the cursor: escape sequences, control characters.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\x1b' && chars.peek() == Some(&'[') {
            chars.next();
            while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
        } else if !c.is_control() {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::{View, draw, plain};
    use crate::top::model;

    fn screen(view: &View, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 16)).unwrap();
        terminal.draw(|frame| draw(view, frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content().chunks(width.into());
        let line = |cells: &[ratatui::buffer::Cell]| {
            cells.iter().map(|c| c.symbol()).collect::<String>().trim_end().to_owned()
        };
        lines.map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_screen_shows_nodes_networks_and_a_console() {
        let (before, now) = model::tests::samples();
        let mut view = View {
            headline: model::headline(&now.status, 1075),
            nodes: model::nodes(&now, Some(&before)),
            networks: model::networks(&now.status),
            chosen: 1,
            console: "one\ntwo\n\x1b[6nvm-002 / > ls\r\n".into(),
            whole: false,
        };
        insta::assert_snapshot!(screen(&view, 100), @r#"
ci-1: 2 of 3 ready, without KVM, user networks, up 1 min
┌nodes─────────────────────────────────────────────────────────────────────────────────────────────┐
│NODE    ROLE    STATE    READY    CPU   RSS MiB   RESTARTS SSH                 WRONG              │
│vm-001  vm      ready    3.0 s    45%   61        0        127.0.0.1:12301                        │
│vm-002  vm      ready    3.0 s    45%   61        1        127.0.0.1:12302     net 1 down         │
│vm-201  router  dead     3.0 s    -     -         0        127.0.0.1:12501                        │
│                                                                                                  │
└──────────────────────────────────────────────────────────────────────────────────────────────────┘
┌networks─────────────────────────┐┌console of vm-002──────────────────────────────────────────────┐
│NET NODES               WRONG AT ││one                                                            │
│0   1-2 201                      ││two                                                            │
│1   1-2 201             2        ││vm-002 / > ls                                                  │
│2   201                          ││                                                               │
│                                 ││                                                               │
└─────────────────────────────────┘└───────────────────────────────────────────────────────────────┘
up/down: choose a node   enter: its console alone   q: leave
"#);
        let narrow = screen(&view, 70);
        assert!(narrow.contains("net 1 down") && !narrow.contains("SSH"), "{narrow}");
        view.whole = true;
        let alone = screen(&view, 100);
        assert!(alone.lines().nth(2).unwrap().contains("one"), "{alone}");
        assert!(alone.ends_with("enter, esc: back   q: leave"), "{alone}");
    }

    #[test]
    fn escape_sequences_are_left_out() {
        assert_eq!(plain("\x1b[6nvm / > \x1b[1;31mred\x1b[0m\r"), "vm / > red");
    }
}
