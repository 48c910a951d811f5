use super::*;
use crate::{
    analysis::tune_system::{
        SCHEMA, sysctl,
        tests::{times, tried},
        udev,
    },
    output::text::width,
};

fn tuning(applied: bool, after: &[(u64, &str)]) -> SystemTuning {
    let values = after.iter().map(|(around, value)| Tried {
        file: Some("/sys/block/vda/queue/scheduler".into()),
        permanent: udev("vda", None, "scheduler", value),
        wall_ns: if applied { times(*around) } else { Vec::new() },
        ..tried(value)
    });
    let of = "nvme0n1-with-a-long-name";
    let found = Some("mq-deadline".to_owned());
    let mut scheduler = Setting::to_try(Name::Scheduler, of, found, values.collect());
    let limit = Tried {
        file: Some("/proc/sys/vm/dirty_background_bytes".into()),
        permanent: sysctl("vm.dirty_background_bytes", "67108864"),
        wall_ns: scheduler.tried[0].wall_ns.clone(),
        ..tried("67108864")
    };
    let found = Some("10".to_owned());
    let mut limit = Setting::to_try(Name::DirtyBackgroundRatio, "vm", found, vec![limit]);
    let why = "/etc/sysctl.d/10-a-name-that-is-long-enough.conf sets it, as far as is known";
    let found = Some("30".to_owned());
    let other = Setting::left_alone(Name::DirtyRatio, "vm", found, why.into());
    if applied {
        for setting in [&mut scheduler, &mut limit] {
            setting.found_wall_ns = times(100);
            setting.judge(ERROR / 4.0);
        }
    }
    let together = applied.then(|| Timed::of(&times(100), &times(70), ERROR));
    SystemTuning {
        schema: SCHEMA.into(),
        ioprof_version: "1".into(),
        started_at: "".into(),
        duration_ns: 61_000_000_000,
        kernel: "6".into(),
        path: format!("/srv/{}", "a-long-name/".repeat(20)).into(),
        mount_point: Some(format!("/srv/{}", "mounted/".repeat(20)).into()),
        file_system: "ext4".into(),
        mount_options: "rw,relatime".into(),
        device: "vda".into(),
        below: ["sda", "sdb"].map(Into::into).into(),
        applied,
        command: ["sh", "-c", &"a word ".repeat(60)].map(Into::into).into(),
        cache: Cache::Cold,
        rounds: 10,
        runs: 51,
        pages_left: Some(12),
        settings: vec![scheduler, limit, other],
        together,
    }
}

fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(width(line) <= WIDTH, "{line}\n\n{text}");
    }
}

#[test]
fn what_helps_is_told_with_its_lines_and_what_does_not_is_not() {
    let text = render(
        &tuning(true, &[(80, "none"), (100, "kyber"), (130, "bfq")]),
        Style::PLAIN,
    );
    assert_fits(&text);
    let row = |value: &str| {
        let row = text
            .lines()
            .find(|line| line.trim_start().starts_with(value));
        row.unwrap_or_else(|| panic!("{value}: {text}"))
    };
    assert!(row("mq-deadline ").ends_with("now"), "{text}");
    assert!(row("none ").ends_with("helps"), "{text}");
    assert!(row("kyber ").ends_with('~'), "{text}");
    assert!(row("bfq ").ends_with("hinders"), "{text}");
    assert!(row("64.0 MiB ").ends_with("helps"), "{text}");
    assert!(text.contains("All settings are as they were."), "{text}");
    assert!(text.contains("ATTR{queue/scheduler}=\"none\""), "{text}");
    assert!(!text.contains("ATTR{queue/scheduler}=\"kyber\""), "{text}");
    assert!(
        text.contains("vm.dirty_background_bytes = 67108864"),
        "{text}"
    );
    assert!(
        text.contains("dirty_ratio 30: /etc/sysctl.d/10-a"),
        "{text}"
    );
}

#[test]
fn without_a_gain_none_is_told_and_too_few_runs_say_so() {
    let mut same = tuning(true, &[(100, "none")]);
    same.together = None;
    let text = render(&same, Style::PLAIN);
    assert!(text.contains("No value is shown to help."), "{text}");
    assert!(!text.contains("/etc/udev"), "{text}");
    for setting in &mut same.settings {
        setting.found_wall_ns.truncate(2);
        for tried in &mut setting.tried {
            tried.wall_ns.truncate(2);
        }
        setting.judge(ERROR);
    }
    let text = render(&same, Style::PLAIN);
    assert!(text.contains("~ too few runs"), "{text}");
    assert_fits(&text);
}

#[test]
fn what_would_be_tried_is_listed_with_the_first_lines() {
    let text = render(&tuning(false, &[(0, "none"), (0, "kyber")]), Style::PLAIN);
    assert_fits(&text);
    assert!(text.contains("Nothing is changed"), "{text}");
    assert!(text.contains("none, kyber"), "{text}");
    assert!(text.contains("ATTR{queue/scheduler}=\"none\""), "{text}");
    assert!(!text.contains("as they were"), "{text}");
}

#[test]
fn where_nothing_is_tried_nothing_is_said_to_have_been() {
    let mut nothing = tuning(true, &[(100, "none")]);
    nothing.settings.drain(..2);
    (nothing.runs, nothing.together) = (0, None);
    let text = render(&nothing, Style::PLAIN);
    assert_fits(&text);
    assert!(text.contains("There is no value to try"), "{text}");
    assert!(
        text.contains("left alone") && !text.contains("helps"),
        "{text}"
    );
    assert!(!text.contains("as they were"), "{text}");
}
