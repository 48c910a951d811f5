//! Whatever was found once stays found: every input that is kept is given to its target.

use std::{fs, path::Path};

#[test]
fn the_kept_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in ioprof_fuzz::TARGETS {
        let inputs = fs::read_dir(corpus.join(name)).expect("each target has a corpus");
        let mut count = 0;
        for input in inputs {
            let path = input.expect("a folder can be read").path();
            // Shown where it is the one that fails.
            println!("{}", path.display());
            target(&fs::read(&path).expect("a file can be read"));
            count += 1;
        }
        assert!(count > 0, "{name} has no input");
    }
}
