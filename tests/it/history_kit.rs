//! Random histories, written by `git fast-import` and stored in random ways, with keys in them
//! that come, move, change and go.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use crate::git_kit::{GitKit, git_in, run};
use crate::kit::keys::{self, Random};

/// A repository of a seed.
pub(crate) struct History {
    _kit: GitKit,
    /// Where its objects are to be read: the repository, or one that borrows from it.
    pub(crate) path: PathBuf,
    /// What was done to it, for messages.
    pub(crate) story: String,
}

impl History {
    /// The history of `seed`, with about `commits` commits.
    pub(crate) fn new(seed: u64, commits: usize) -> Self {
        let mut random = Random::new(seed);
        let format = if random.below(4) == 0 {
            "sha256"
        } else {
            "sha1"
        };
        let kit = GitKit::init(&["--object-format", format]);
        let mut story = format!("seed {seed}, {format}");
        let mut writer = Writer::new(seed);
        for part in 0..1 + random.below(3) {
            import(&kit, &writer.commits(commits, part));
            story.push_str(&store(&kit, &mut random));
        }
        let path = place(&kit, &mut random, &mut story);
        Self {
            _kit: kit,
            path,
            story,
        }
    }
}

fn import(kit: &GitKit, stream: &[u8]) {
    let mut command = kit.command();
    command.args([
        "-c",
        "fastimport.unpackLimit=1",
        "fast-import",
        "--quiet",
        "--force",
        "--depth=20",
    ]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("git runs");
    let mut input = child.stdin.take().expect("an input");
    input.write_all(stream).expect("written");
    drop(input);
    assert!(child.wait().expect("git ends").success());
}

/// Stores what there is in another way; tells which.
fn store(kit: &GitKit, random: &mut Random) -> String {
    let ways: [&[&str]; 9] = [
        &["repack", "-q", "-d"],
        &[
            "repack",
            "-q",
            "-a",
            "-d",
            "-f",
            "--depth=50",
            "--window=50",
        ],
        &["repack", "-q", "-a"],
        &[
            "-c",
            "repack.useDeltaBaseOffset=false",
            "repack",
            "-q",
            "-a",
            "-d",
            "-f",
        ],
        &["gc", "-q", "--prune=never"],
        &[
            "-c",
            "gc.cruftPacks=true",
            "gc",
            "-q",
            "--cruft",
            "--prune=never",
        ],
        &["multi-pack-index", "write"],
        &["repack", "-q", "-a", "-d", "--write-midx"],
        &[
            "repack",
            "-q",
            "-A",
            "-d",
            "-f",
            "--depth=4000",
            "--window=5",
        ],
    ];
    let mut story = String::new();
    for _ in 0..random.below(4) {
        let way = random.below(ways.len() + 2);
        if let Some(way) = ways.get(way) {
            kit.git(way);
            story.push_str(&format!(", {}", way.join(" ")));
        } else if way == ways.len() {
            unpack(kit);
            story.push_str(", unpacked");
        } else {
            // What no ref leads to stays: as loose objects, or as a cruft pack's.
            kit.git(&["update-ref", "-d", "refs/heads/side1"]);
            story.push_str(", a branch deleted");
        }
    }
    story
}

/// Makes the objects of the smallest pack loose too; they stay packed.
fn unpack(kit: &GitKit) {
    let folder = kit.path().join(".git/objects/pack");
    let packs = std::fs::read_dir(folder).expect("packs");
    let packs = packs.map(|entry| entry.expect("an entry").path());
    let packs = packs.filter(|path| path.extension().is_some_and(|end| end == "pack"));
    let smallest = packs.min_by_key(|path| path.metadata().map_or(0, |data| data.len()));
    let Some(pack) = smallest else { return };
    // git unpacks only what it has not got.
    let beside = kit.beside("moved.pack");
    let index = pack.with_extension("idx");
    let (moved, moved_index) = (beside.clone(), kit.beside("moved.idx"));
    std::fs::rename(&pack, &moved).expect("moved");
    std::fs::rename(&index, &moved_index).expect("moved");
    let input = std::fs::File::open(&moved).expect("a pack");
    run(kit.command().args(["unpack-objects", "-q"]).stdin(input));
    std::fs::rename(&moved, &pack).expect("moved back");
    std::fs::rename(&moved_index, &index).expect("moved back");
}

/// The repository itself, or another one that has objects of its own and borrows the rest.
fn place(kit: &GitKit, random: &mut Random, story: &mut String) -> PathBuf {
    let own = kit.path().to_owned();
    let from = own.to_str().expect("text").to_owned();
    match random.below(4) {
        0 => {
            story.push_str(", borrowed");
            let other = kit.beside("borrower");
            run(git_in(&own)
                .args(["clone", "-q", "--shared", "--no-checkout", &from])
                .arg(&other));
            run(git_in(&other).args(["commit", "-q", "--allow-empty", "-m", "borrows"]));
            other
        }
        1 => {
            story.push_str(", bare");
            let other = kit.beside("bare.git");
            run(git_in(&own)
                .args(["clone", "-q", "--bare", "--no-local", &from])
                .arg(&other));
            other
        }
        _ => own,
    }
}

/// Writes a stream for `git fast-import`.
struct Writer {
    random: Random,
    files: Vec<Vec<u8>>,
    seed: u64,
    serial: u64,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xF11E);
        let files = (0..2 + random.below(5))
            .map(|_| text(&mut random))
            .collect();
        Self {
            random,
            files,
            seed,
            serial: 0,
        }
    }

    fn commits(&mut self, count: usize, part: usize) -> Vec<u8> {
        let mut stream = Vec::new();
        for _ in 0..1 + self.random.below(count) {
            let branch = ["main", "main", "side0", "side1"][self.random.below(4)];
            self.serial += 1;
            let message = self.message();
            let date = 1_600_000_000 + self.serial * 60;
            write!(
                stream,
                "commit refs/heads/{branch}\ncommitter Ada <ada@example.com> {date} +0000\ndata {}\n{message}\n",
                message.len(),
            )
            .expect("written");
            let file = self.random.below(self.files.len());
            self.edit(file);
            let content = &self.files[file];
            let name = ["a.py", "src/b.env", "c.bin", "deep/er/d", "e f.txt", "g"][file % 6];
            write!(stream, "M 100644 inline {name}\ndata {}\n", content.len()).expect("written");
            stream.extend_from_slice(content);
            stream.push(b'\n');
        }
        if self.random.below(2) == 0 {
            let message = self.message();
            write!(
                stream,
                "tag t{part}\nfrom refs/heads/main\ntagger Ada <ada@example.com> 1700000000 +0000\ndata {}\n{message}\n",
                message.len()
            )
            .expect("written");
        }
        stream.splice(0..0, self.first(part));
        stream
    }

    /// Every part begins with a commit on `main`, so that tags have something to point at.
    fn first(&mut self, part: usize) -> Vec<u8> {
        let from = if part == 0 {
            ""
        } else {
            "from refs/heads/main^0\n"
        };
        format!(
            "commit refs/heads/main\ncommitter Ada <ada@example.com> 1600000000 +0000\ndata 4\npart\n{from}M 100644 inline part\ndata 1\n{part}\n"
        )
        .into_bytes()
    }

    fn message(&mut self) -> String {
        match self.random.below(12) {
            0 => format!("Leak\n\n{}", self.key()),
            _ => format!("Change {}\n", self.serial),
        }
    }

    /// Few keys, so that they come back.
    fn key(&mut self) -> String {
        let seed = self.seed * 100 + self.random.below(6) as u64;
        let (id, secret) = (keys::access_key_id(seed), keys::secret(seed));
        match self.random.below(8) {
            0 => format!("aws_access_key_id = {id}\n"),
            1 => format!("aws_secret_access_key = \"{secret}\"\n"),
            2 => format!(
                "{{\"id\": \"{id}\", \"secret\": \"{}\"}}\n",
                secret.replace('/', "\\/")
            ),
            3 => format!("{id}:{secret}\n"),
            4 => format!("SECRET={}\n", &secret[..20]),
            _ => keys::exports(seed),
        }
    }

    fn edit(&mut self, file: usize) {
        for _ in 0..1 + self.random.below(3) {
            let content = std::mem::take(&mut self.files[file]);
            self.files[file] = self.edited(content);
        }
    }

    fn edited(&mut self, mut content: Vec<u8>) -> Vec<u8> {
        let at = self.random.below(content.len() + 1);
        let end = content.len().min(at + self.random.below(80));
        match self.random.below(14) {
            0..=2 => drop(content.splice(at..at, self.key().into_bytes())),
            3 => drop(content.splice(at..end, [])),
            4 => drop(content.splice(
                at..at,
                self.random.text("ABCabc012=\"' \n", 30).into_bytes(),
            )),
            5 => {
                let piece: Vec<u8> = content[at..end].to_vec();
                let to = self.random.below(content.len() + 1);
                content.splice(to..to, piece);
            }
            // A part of a key comes, or goes.
            6 => match key_places(&content).first() {
                Some(&place) => drop(content.splice(place..place + 7, [])),
                None => content.extend(self.key().into_bytes()),
            },
            7 => match key_places(&content).last() {
                Some(&place) => content[place + 4] ^= 1,
                None => content.extend(keys::access_key_id(self.seed).as_bytes()[..9].to_vec()),
            },
            8 => content.extend(text(&mut self.random)),
            9 => content.truncate(at),
            10 => content = [b"\xFF\xFE".to_vec(), wide(&self.key())].concat(),
            11 => content
                .splice(0..0, b"\xEF\xBB\xBF".to_vec())
                .for_each(drop),
            12 => content.push(0),
            _ => {
                let line = format!("line {}\n", self.serial);
                content.splice(at..at, line.into_bytes());
            }
        }
        content
    }
}

/// Where something like an access key ID begins.
fn key_places(content: &[u8]) -> Vec<usize> {
    let prefix = ["AK", "IA"].concat();
    let places = memchr::memmem::find_iter(content, &prefix);
    places.filter(|at| at + 20 < content.len()).collect()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn text(random: &mut Random) -> Vec<u8> {
    let lines = random.below(400);
    let line = |number| format!("{number}: {}\n", random.text("abcdefgh ijklmn_=()", 30));
    (0..lines).map(line).collect::<String>().into_bytes()
}
