//! The catalogue of planted bugs, kept from rotting: every patch says what it breaks and which scenarios find it, and
//! still fits the code. Whether the scenarios do find it, `just mutants` shows.

use std::fs;
use std::path::{Path, PathBuf};

const AREAS: [&str; 4] = ["replication", "liveness", "storage", "determinism"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn patches() -> Vec<(PathBuf, String)> {
    let folder = fs::read_dir(root().join("tests/mutants")).expect("the folder of this file");
    let files = folder.map(|entry| entry.expect("a readable folder").path());
    let mut patches: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|ext| ext == "patch")).collect();
    patches.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("patches are text");
        (file, text)
    };
    patches.into_iter().map(read).collect()
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
}

/// The hunks of a patch: the file, and the text that has to be there.
fn hunks(text: &str) -> Vec<(String, String)> {
    let mut hunks: Vec<(String, String)> = Vec::new();
    let mut file = String::new();
    for line in text.lines().skip_while(|line| !line.starts_with("--- a/")) {
        if let Some(name) = line.strip_prefix("--- a/") {
            file = name.into();
        } else if line.starts_with("@@") {
            hunks.push((file.clone(), String::new()));
        } else if let (Some(hunk), Some(kept)) =
            (hunks.last_mut(), line.strip_prefix(' ').or_else(|| line.strip_prefix('-')))
        {
            hunk.1.push_str(kept);
            hunk.1.push('\n');
        }
    }
    hunks
}

#[test]
fn every_patch_says_what_it_breaks_and_who_finds_it() {
    let patches = patches();
    for area in AREAS {
        assert!(patches.iter().any(|(_, text)| field(text, "Area:") == area), "no mutant of {area}");
    }
    for (file, text) in &patches {
        let file = file.display();
        assert!(!text.starts_with("---") && !text.starts_with("Area:"), "{file}: it does not tell its story");
        assert!(AREAS.contains(&field(text, "Area:")), "{file}: its area is one of {AREAS:?}");
        let scenarios: Vec<&str> = field(text, "Scenarios:").split(' ').collect();
        for name in &scenarios {
            let scenario = root().join(format!("scenarios/{name}.toml"));
            assert!(scenario.is_file(), "{file}: there is no {}", scenario.display());
        }
    }
}

/// `patch` goes by the numbers in a hunk's head.
#[test]
fn every_hunk_is_as_long_as_it_says() {
    for (file, text) in patches() {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(head) = line.strip_prefix("@@ -") else { continue };
            let numbers: Vec<usize> =
                head.split([' ', ',', '+']).filter_map(|number| number.parse().ok()).collect();
            let (mut old, mut new) = (0, 0);
            while let Some(line) = lines.next_if(|line| !line.starts_with("@@") && !line.starts_with("---")) {
                old += usize::from(!line.starts_with('+'));
                new += usize::from(!line.starts_with('-'));
            }
            assert_eq!((numbers[1], numbers[3]), (old, new), "{}: {line}", file.display());
        }
    }
}

#[test]
fn every_patch_fits_the_code_at_one_place() {
    for (file, text) in patches() {
        let hunks = hunks(&text);
        assert!(!hunks.is_empty(), "{}: nothing is changed", file.display());
        for (target, expected) in hunks {
            let code = fs::read_to_string(root().join(&target)).unwrap_or_default();
            let times = code.matches(&expected).count();
            assert_eq!(times, 1, "{}: times that {target} holds\n{expected}", file.display());
        }
    }
}
