//! `xcbuild topology show`, as its users call it.

use crate::common::Workspace;

#[test]
fn every_format_shows_the_nodes_that_would_be_started() {
    let mut workspace = Workspace::new();
    workspace.set("__ntesters", "1");
    for (format, begins) in [
        ("text", "diamond: Two ways"),
        ("svg", "<svg "),
        ("dot", "graph \"diamond\" {"),
        ("mermaid", "graph LR\n"),
        ("json", "{\n  \"name\": \"diamond\""),
    ] {
        let said = workspace.ok(&["topology", "show", "diamond", "--format", format]);
        assert!(said.starts_with(begins), "{format}: {said}");
        assert!(said.contains("vm-204") && said.contains("vm-221"), "{format}: {said}");
    }
}

#[test]
fn what_cannot_be_shown_is_explained() {
    let mut workspace = Workspace::new();
    let said = workspace.fails(&["topology", "show", "dimond"], 1);
    assert!(said.contains("there is no topology `dimond`; did you mean `diamond`?"), "{said}");
    workspace.set("__nrouters", "5");
    let said = workspace.fails(&["topology", "show", "diamond"], 1);
    assert!(said.contains("topology diamond has no node 205"), "{said}");
}
