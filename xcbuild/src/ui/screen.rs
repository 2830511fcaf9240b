//! The whole terminal for a view that is redrawn; restored when dropped.

use std::io::{self, IsTerminal, Stdout};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{execute, terminal};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

/// A key that a view knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// To the one before.
    Up,
    /// To the next one.
    Down,
    /// More of it.
    Enter,
    /// Back to the view before.
    Back,
    /// Ends the view.
    Quit,
    /// Any other.
    Other,
}

/// The terminal in raw mode.
#[derive(Debug)]
pub(crate) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// Takes the terminal; `None` where there is none.
    ///
    /// # Errors
    /// When its settings can't be changed.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Ok(None);
        }
        terminal::enable_raw_mode()?;
        let mut screen = Self(Terminal::new(CrosstermBackend::new(io::stdout()))?);
        // That screen is empty. To clear it, the library would ask where the cursor is, and not
        // every terminal answers.
        execute!(screen.0.backend_mut(), terminal::EnterAlternateScreen)?;
        Ok(Some(screen))
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(view).map(drop)
    }

    /// The next key that was pressed, if one was.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn key(&mut self) -> io::Result<Option<Key>> {
        while event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            return Ok(Some(match key.code {
                KeyCode::Char('c') if control => Key::Quit,
                KeyCode::Char('q') => Key::Quit,
                KeyCode::Esc => Key::Back,
                KeyCode::Up | KeyCode::Char('k') => Key::Up,
                KeyCode::Down | KeyCode::Char('j') => Key::Down,
                KeyCode::Enter => Key::Enter,
                _ => Key::Other,
            }));
        }
        Ok(None)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone needs no settings.
        let _ = execute!(self.0.backend_mut(), terminal::LeaveAlternateScreen);
        let _ = self.0.show_cursor();
        let _ = terminal::disable_raw_mode();
    }
}
