//! Build script: what the binary carries.

#[path = "build/embed.rs"]
mod embed;

fn main() -> std::io::Result<()> {
    embed::overlays_and_templates()
}
