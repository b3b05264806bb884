//! A complaint about a file, as a compiler would make it: file, line, column, caret, and what is allowed there.

use core::ops::Range;
use std::format;
use std::string::String;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// The complaint, without a line break at its end. `span` is in bytes of `text`.
pub fn render(
    path: &str,
    text: &str,
    message: &str,
    span: Option<Range<usize>>,
    allowed: Option<&str>,
) -> String {
    let title = Level::ERROR.primary_title(message);
    let report: Group = match span {
        Some(span) => {
            let mut mark = AnnotationKind::Primary.span(span);
            if let Some(allowed) = allowed {
                mark = mark.label(format!("allowed: {allowed}"));
            }
            title.element(Snippet::source(text).path(path).annotation(mark))
        }
        None => {
            let allowed = allowed.map(|allowed| format!("; allowed: {allowed}")).unwrap_or_default();
            title.element(Level::NOTE.message(format!("in {path}{allowed}")))
        }
    };
    Renderer::plain().render(&[report])
}
