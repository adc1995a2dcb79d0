//! What the text round a key says of where the key is used.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::verdict::Partition;

/// What a text speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Partitions, by the names of their regions, hosts and ARNs.
    pub(super) partitions: BTreeSet<Partition>,
    /// A store that is spoken to like S3 and is not AWS's: it issues keys of its own.
    pub(super) other_store: bool,
}

/// What a word stands for.
#[derive(Clone, Copy)]
enum Hint {
    Partition(Partition),
    OtherStore,
    /// A setting that names an endpoint: another store, unless its value is a host of AWS.
    Endpoint,
}

const HINTS: [(&str, Hint); 23] = [
    ("cn-north-1", Hint::Partition(Partition::AwsCn)),
    ("cn-northwest-1", Hint::Partition(Partition::AwsCn)),
    (".amazonaws.com.cn", Hint::Partition(Partition::AwsCn)),
    ("arn:aws-cn:", Hint::Partition(Partition::AwsCn)),
    ("us-gov-", Hint::Partition(Partition::AwsUsGov)),
    ("arn:aws-us-gov:", Hint::Partition(Partition::AwsUsGov)),
    ("minio", Hint::OtherStore),
    ("localstack", Hint::OtherStore),
    ("radosgw", Hint::OtherStore),
    ("digitaloceanspaces.com", Hint::OtherStore),
    ("wasabisys.com", Hint::OtherStore),
    ("r2.cloudflarestorage.com", Hint::OtherStore),
    ("backblazeb2.com", Hint::OtherStore),
    ("storage.googleapis.com", Hint::OtherStore),
    ("linodeobjects.com", Hint::OtherStore),
    ("scw.cloud", Hint::OtherStore),
    ("storage.yandexcloud.net", Hint::OtherStore),
    ("endpoint_url", Hint::Endpoint),
    ("endpoint-url", Hint::Endpoint),
    ("endpointurl", Hint::Endpoint),
    ("s3_endpoint", Hint::Endpoint),
    ("s3.endpoint", Hint::Endpoint),
    ("s3a.endpoint", Hint::Endpoint),
];

/// How far behind its name an endpoint's value is looked for, in bytes.
const VALUE: usize = 120;

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(HINTS.map(|(word, _)| word))
        .ok()
});

/// Reads a whole text, once. Without the automaton, which only a defect could prevent, every text
/// is taken to speak of everything: that lowers nothing.
pub(super) fn surroundings(bytes: &[u8]) -> Surroundings {
    let Some(words) = WORDS.as_ref() else {
        return Surroundings {
            partitions: Partition::ALL.into(),
            other_store: true,
        };
    };
    let mut found = Surroundings::default();
    for word in words.find_overlapping_iter(bytes) {
        match HINTS[word.pattern().as_usize()].1 {
            Hint::Partition(partition) => {
                found.partitions.insert(partition);
            }
            Hint::OtherStore => found.other_store = true,
            Hint::Endpoint => found.other_store |= !is_of_aws(&bytes[word.end()..]),
        }
    }
    found
}

/// Whether what follows an endpoint's name, on its line, is a host of AWS, or nothing.
fn is_of_aws(after: &[u8]) -> bool {
    let line = after
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let value = &line[..line.len().min(VALUE)];
    memchr::memmem::find(value, b"amazonaws.com").is_some()
        || memchr::memmem::find(value, b"//").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions() {
        use Partition::{AwsCn, AwsUsGov};
        let of = |text: &str| surroundings(text.as_bytes()).partitions;
        assert!(of("region = us-east-1").is_empty());
        assert_eq!(of("region = cn-northwest-1"), [AwsCn].into());
        assert_eq!(
            of("arn:aws-us-gov:iam::1 https://S3.CN-NORTH-1.amazonaws.com.cn"),
            [AwsCn, AwsUsGov].into()
        );
    }

    #[test]
    fn stores_that_are_not_of_aws() {
        for (text, expected) in [
            ("endpoint_url = http://10.0.0.1:9000", true),
            ("AWS_ENDPOINT_URL_S3=https://store.example.org", true),
            ("s3 = boto3.client('s3', endpointUrl='//x')", true),
            ("image: quay.io/MinIO/minio", true),
            ("fs.s3a.endpoint=https://s3.eu-west-1.amazonaws.com", false),
            ("AWS_ENDPOINT_URL=", false),
            (
                "s3_endpoint: config.endpoint\nurl: https://example.org",
                false,
            ),
            ("bucket = backup", false),
        ] {
            assert_eq!(
                surroundings(text.as_bytes()).other_store,
                expected,
                "{text}"
            );
        }
    }
}
