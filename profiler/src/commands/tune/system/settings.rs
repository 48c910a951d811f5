//! A setting as it is found: what is tried of it, or why it is left alone.

use std::path::{Path, PathBuf};

use super::found::Below;
use crate::{
    analysis::tune_system::{
        DirtyValue, Fstab, Name, Permanent, Setting, Tried, background_limits, dirty_limits,
        fstab as fstab_line, nr_requests, read_ahead_kb, schedulers, sysctl as sysctl_line, udev,
    },
    kernel::system::tunable::{
        Atime, Change, DirtyLimits, Files, Identity, Place, Queue, fstab, in_queue, queue_set_by,
        sysctl, tuned,
    },
    text::Text,
};

/// A setting, and the changes to each of its values.
type Item = (Setting, Vec<Change>);

fn left_alone(name: Name, of: &str, found: Option<String>, why: String) -> Item {
    (Setting::left_alone(name, of, found, why), Vec::new())
}

/// One that a file sets.
fn set_by(name: Name, of: &str, found: Option<String>, file: &Path) -> Item {
    let file = Text::of(file);
    let mut setting = Setting::left_alone(name, of, found, format!("{file} sets it"));
    setting.set_by = Some(file);
    (setting, Vec::new())
}

/// One whose value somebody has set, as far as can be known.
fn not_default(name: Name, of: &str, found: String, default: &str) -> Item {
    let why = format!("it is not the kernel's default, which is {default}");
    left_alone(name, of, Some(found), why)
}

/// A setting of a queue with its values, or why there are none.
fn of_queue(
    files: &Files,
    queue: &Queue,
    name: Name,
    found: Option<String>,
    values: Vec<String>,
) -> Item {
    let device = queue.device.as_str();
    let file = in_queue(device, name.told());
    let identity = Identity::of(files, device);
    let identity = identity
        .as_ref()
        .map(|identity| (identity.attribute, identity.value.as_str()));
    let tried = values.iter().map(|value| {
        let permanent = udev(device, identity, name.told(), value);
        tried(Some(format!("/{file}")), value, permanent)
    });
    let tried: Vec<_> = tried.collect();
    if tried.is_empty() {
        return left_alone(name, device, found, "there is no other value to try".into());
    }
    let changes = values.into_iter().map(|value| Change::Value {
        path: file.clone(),
        value,
    });
    (
        Setting::to_try(name, device, found, tried),
        changes.collect(),
    )
}

fn tried(file: Option<String>, value: &str, permanent: Permanent) -> Tried {
    Tried {
        file: file.map(Text::from),
        value: value.into(),
        permanent,
        refused: None,
        wall_ns: Vec::new(),
        timed: None,
    }
}

const NO_REQUESTS: &str = "its driver makes no requests";

/// The scheduler.
pub fn of_scheduler(files: &Files, queue: &Queue) -> Item {
    let (name, device) = (Name::Scheduler, queue.device.as_str());
    let Some(chosen) = queue.scheduler.clone().filter(|_| queue.has_requests()) else {
        return left_alone(name, device, None, NO_REQUESTS.into());
    };
    if let Some(file) = queue_set_by(files, device, name.told()) {
        return set_by(name, device, Some(chosen), &file);
    }
    // Which of the two it is, the driver decides, and tells nobody.
    if !["none", "mq-deadline"].contains(&chosen.as_str()) {
        return not_default(name, device, chosen, "none or mq-deadline");
    }
    let values = schedulers(&queue.schedulers, &chosen);
    of_queue(files, queue, name, Some(chosen), values)
}

/// The number of requests.
pub fn of_requests(files: &Files, queue: &Queue) -> Item {
    let (name, device) = (Name::NrRequests, queue.device.as_str());
    let (Some(now), Some(scheduler)) = (queue.nr_requests, queue.scheduler.as_deref()) else {
        return left_alone(name, device, None, NO_REQUESTS.into());
    };
    let found = Some(now.to_string());
    if let Some(file) = queue_set_by(files, device, name.told()) {
        return set_by(name, device, found, &file);
    }
    let default = queue.default_nr_requests();
    if let Some(default) = default.filter(|default| *default != now) {
        return not_default(name, device, now.to_string(), &default.to_string());
    }
    let values = nr_requests(now, scheduler, queue.nr_tags).into_iter();
    let values = values.map(|value| value.to_string()).collect();
    of_queue(files, queue, name, found, values)
}

/// The read-ahead.
pub fn of_read_ahead(files: &Files, queue: &Queue, place: &Below) -> Item {
    let (name, device) = (Name::ReadAheadKb, queue.device.as_str());
    let Some(now) = queue.read_ahead_kb else {
        return left_alone(name, device, None, "the kernel does not tell it".into());
    };
    let found = Some(now.to_string());
    if !place.reads_ahead_by_disk {
        let why = format!("{} has a read-ahead of its own", place.mounted.kind);
        return left_alone(name, device, found, why);
    }
    if let Some(file) = queue_set_by(files, device, name.told()) {
        return set_by(name, device, found, &file);
    }
    if !queue.is_default_read_ahead(now) {
        let default = "128, or two of the device's requests";
        return not_default(name, device, now.to_string(), default);
    }
    let values = read_ahead_kb(now).into_iter();
    let values = values.map(|value| value.to_string()).collect();
    of_queue(files, queue, name, found, values)
}

/// The names of a limit of dirty pages, as a ratio and as bytes.
struct Limit {
    name: Name,
    ratio: &'static str,
    bytes: &'static str,
}

const DIRTY: Limit = Limit {
    name: Name::DirtyRatio,
    ratio: "dirty_ratio",
    bytes: "dirty_bytes",
};
const BACKGROUND: Limit = Limit {
    name: Name::DirtyBackgroundRatio,
    ratio: "dirty_background_ratio",
    bytes: "dirty_background_bytes",
};

/// The limit at which who writes has to write back.
pub fn of_dirty(files: &Files, limits: &DirtyLimits) -> Item {
    let values = dirty_limits(limits.ratio, limits.background_ratio);
    of_limit(files, &DIRTY, [limits.ratio, limits.bytes], 20, &values)
}

/// The limit at which the kernel begins to.
pub fn of_background(files: &Files, limits: &DirtyLimits) -> Item {
    let now = [limits.background_ratio, limits.background_bytes];
    let values = background_limits(limits.background_ratio);
    of_limit(files, &BACKGROUND, now, 10, &values)
}

fn of_limit(
    files: &Files,
    limit: &Limit,
    [ratio, bytes]: [u64; 2],
    default: u64,
    values: &[DirtyValue],
) -> Item {
    let (name, of) = (limit.name, "vm");
    let found = match bytes {
        0 => ratio.to_string(),
        bytes => format!("{bytes} bytes"),
    };
    let names = [limit.ratio, limit.bytes];
    let dotted = names.map(|name| format!("vm.{name}"));
    let dotted = dotted.each_ref().map(String::as_str);
    if let Some(file) = sysctl(files, &dotted).or_else(|| tuned(files, &names)) {
        return set_by(name, of, Some(found), &file);
    }
    if (ratio, bytes) != (default, 0) {
        return not_default(name, of, found, &default.to_string());
    }
    let of_value = |value: &DirtyValue| match value {
        DirtyValue::Ratio(percent) => (limit.ratio, percent.to_string()),
        DirtyValue::Bytes(bytes) => (limit.bytes, bytes.to_string()),
    };
    let values: Vec<_> = values.iter().map(of_value).collect();
    let all = values.iter().map(|(file, value)| {
        let permanent = sysctl_line(&format!("vm.{file}"), value);
        let file = format!("/{}/{file}", DirtyLimits::FOLDER);
        tried(Some(file), value, permanent)
    });
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return left_alone(
            name,
            of,
            Some(found),
            "there is no other value to try".into(),
        );
    }
    let changes = values.into_iter().map(|(file, value)| Change::Value {
        path: format!("{}/{file}", DirtyLimits::FOLDER),
        value,
    });
    (
        Setting::to_try(name, of, Some(found), all),
        changes.collect(),
    )
}

/// When the time of an access is noted.
pub fn of_atime(files: &Files, place: &Below, mount: &Place, atime: Atime) -> Item {
    let name = Name::Atime;
    let point = mount.point.to_string_lossy().into_owned();
    let found = Some(atime.to_string());
    let line = fstab(files, &mount.point);
    let all = [Atime::Relatime, Atime::Noatime, Atime::Strictatime].map(Atime::option);
    if let Some(line) = &line
        && line.options.split(',').any(|option| all.contains(&option))
    {
        return set_by(name, &point, found, &PathBuf::from("/etc/fstab"));
    }
    if atime != Atime::Relatime {
        return not_default(name, &point, atime.to_string(), Atime::Relatime.option());
    }
    let mounted = &place.mounted;
    let nothing: &[String] = &[];
    let of = match &line {
        Some(line) => Fstab {
            before: line.before.each_ref().map(String::as_str),
            options: Some(&line.options),
            behind: &line.behind,
        },
        None => Fstab {
            before: [&mounted.source, &point, &mounted.kind],
            options: None,
            behind: nothing,
        },
    };
    let option = Atime::Noatime.option();
    let one = tried(None, option, fstab_line(&of, option, &all));
    let change = Change::Atime {
        place: mount.clone(),
        atime: Atime::Noatime,
    };
    (
        Setting::to_try(name, &point, found, vec![one]),
        vec![change],
    )
}
