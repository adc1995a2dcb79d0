//! What was found as one Parquet table, a row for each place of each credential: the columns of
//! the view `exposure`, for those who analyse millions of them.

use std::io::Write;
use std::sync::Arc;

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::report::View;
use super::store::{CredentialRow, Exposure, Store, StoreError};

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The table could not be made.
    #[error("Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

const SCHEMA: &str = "message exposure {
    required binary identity (UTF8);
    required binary rule (UTF8);
    required binary severity (UTF8);
    required binary confidence (UTF8);
    optional binary account_id (UTF8);
    optional binary access_key_id (UTF8);
    required boolean has_secret;
    required binary verdict (UTF8);
    required binary triage (UTF8);
    required binary owner (UTF8);
    required binary repository (UTF8);
    required binary visibility (UTF8);
    required binary path (UTF8);
    required int64 line;
    required int64 column;
    required binary object (UTF8);
    optional binary commit_id (UTF8);
    optional binary author (UTF8);
    required binary reachability (UTF8);
}";

/// Rows that are held before they are written.
const ROWS: usize = 50_000;

/// Writes every place of `store` to `out`. Returns the number of rows.
///
/// # Errors
/// Where the store or `out` fails.
pub fn write(store: &Store, view: View, out: impl Write + Send) -> Result<u64, TableError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(out, schema, properties)?;
    let mut written = 0;
    let mut rows = Vec::new();
    let mut flush = |rows: &mut Vec<Row>| -> Result<(), TableError> {
        let mut group = writer.next_row_group()?;
        write_group(&mut group, rows, view)?;
        group.close()?;
        written += rows.len() as u64;
        rows.clear();
        Ok(())
    };
    for credential in store.credentials()? {
        let credential = Arc::new(credential);
        for place in store.places(credential.secret_id)? {
            rows.push((Arc::clone(&credential), place));
            if rows.len() == ROWS {
                flush(&mut rows)?;
            }
        }
    }
    if !rows.is_empty() {
        flush(&mut rows)?;
    }
    writer.close()?;
    Ok(written)
}

type Row = (Arc<CredentialRow>, Exposure);

/// The columns in the schema's order.
fn write_group<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    view: View,
) -> Result<(), ParquetError> {
    text(group, rows, |(credential, _)| &credential.identity)?;
    text(group, rows, |(credential, _)| &credential.rule)?;
    text(group, rows, |(credential, _)| &credential.severity)?;
    text(group, rows, |(credential, _)| &credential.confidence)?;
    optional(group, rows, |(credential, _)| {
        let known = credential.account_id.is_some();
        known.then(|| view.account(credential))
    })?;
    optional(group, rows, |(credential, _)| view.key(credential))?;
    let flags: Vec<bool> = rows.iter().map(|(it, _)| it.has_secret).collect();
    column::<BoolType, W>(group, &flags, None)?;
    text(group, rows, |(credential, _)| &credential.verdict)?;
    text(group, rows, |(credential, _)| &credential.triage)?;
    text(group, rows, |(_, place)| &place.owner)?;
    text(group, rows, |(_, place)| &place.repository)?;
    text(group, rows, |(_, place)| &place.visibility)?;
    text(group, rows, |(_, place)| &place.path)?;
    numbers(group, rows, |(_, place)| place.line)?;
    numbers(group, rows, |(_, place)| place.column)?;
    text(group, rows, |(_, place)| &place.object)?;
    optional(group, rows, |(_, place)| place.commit.clone())?;
    optional(group, rows, |(_, place)| place.author.clone())?;
    text(group, rows, |(_, place)| &place.reachability)
}

fn text<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    value: impl Fn(&Row) -> &String,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = rows.iter().map(|row| value(row).as_str().into()).collect();
    column::<ByteArrayType, W>(group, &values, None)
}

fn optional<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    value: impl Fn(&Row) -> Option<String>,
) -> Result<(), ParquetError> {
    let all: Vec<Option<String>> = rows.iter().map(value).collect();
    let there: Vec<i16> = all.iter().map(|it| i16::from(it.is_some())).collect();
    let values: Vec<ByteArray> = all.iter().flatten().map(|it| it.as_str().into()).collect();
    column::<ByteArrayType, W>(group, &values, Some(&there))
}

fn numbers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    value: impl Fn(&Row) -> u64,
) -> Result<(), ParquetError> {
    let number = |row| i64::try_from(value(row)).unwrap_or(i64::MAX);
    let values: Vec<i64> = rows.iter().map(number).collect();
    column::<Int64Type, W>(group, &values, None)
}

fn column<T: parquet::data_type::DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    there: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("too many columns".to_owned()));
    };
    column.typed::<T>().write_batch(values, there, None)?;
    column.close()
}
