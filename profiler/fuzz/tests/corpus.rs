//! Whatever was found once stays found: every example and regression is given to its target.

use std::{fs, path::Path};

#[test]
fn the_kept_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in ioprof_fuzz::TARGETS {
        let inputs = fs::read_dir(corpus.join(name)).expect("each target has a corpus");
        let mut count = 0;
        for input in inputs {
            let path = input.expect("a folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_hash = name.len() >= 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(!is_hash, "{name}: an input is named after what it shows");
            // Shown where it is the one that fails.
            println!("{}", path.display());
            target(&fs::read(&path).expect("a file can be read"));
            count += 1;
        }
        assert!(count > 0, "{name} has no input");
    }
}
