//! Tables to and from Arrow's record batches, for programs that share memory with ours.
//!
//! The types are the file's: floats of 32 bits with null for NaN, whole numbers of 32 bits
//! without sign, texts. Wider numbers are read as a file's are. Metadata is the schema's.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};

use super::arrow::{data_type, empty_column, floats_into, integers, texts, to_array};
use super::{Column, Table};
use crate::TableError;

impl Table {
    /// The types of the columns, as [`Self::to_batch`] has them.
    pub fn schema(&self) -> Schema {
        let field = |(name, column): &(String, Column)| {
            Field::new(name, data_type(column), matches!(column, Column::F32(_)))
        };
        let fields: Vec<Field> = self.columns.iter().map(field).collect();
        Schema::new_with_metadata(fields, self.metadata.clone())
    }

    /// All rows as one batch; the values are copied once.
    ///
    /// # Errors
    /// When Arrow refuses the columns.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.iter().map(|(_, column)| to_array(column.clone()));
        RecordBatch::try_new(Arc::new(self.schema()), arrays.collect())
    }

    /// The rows of some batches of one schema. Columns of other types than numbers and text are
    /// left out.
    ///
    /// # Errors
    /// When a whole number does not fit 32 bits without sign, or two columns have one name.
    pub fn from_batches(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, TableError> {
        let mut table = Self::default();
        table.metadata.extend(schema.metadata.clone());
        for (place, field) in schema.fields().iter().enumerate() {
            let Some(mut column) = empty_column(field.data_type()) else { continue };
            for batch in batches {
                let first = column.len();
                append(&mut column, batch.column(place).as_ref()).map_err(|unfit| {
                    TableError::Column(format!(
                        "column {} has {} in row {}, where a whole number from 0 to 2³² − 1 \
                         should be; change it, or leave the column out",
                        field.name(),
                        unfit.value,
                        first + unfit.row,
                    ))
                })?;
            }
            table.push(field.name().as_str(), column)?;
        }
        Ok(table)
    }
}

fn append(column: &mut Column, array: &dyn arrow_array::Array) -> Result<(), super::arrow::Unfit> {
    match column {
        Column::F32(values) => {
            let first = values.len();
            values.resize(first + array.len(), f32::NAN);
            floats_into(array, &mut values[first..]);
        }
        Column::U32(values) => values.extend_from_slice(&integers(array)?),
        Column::Text(values) => values.extend(texts(array).map(str::to_owned)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_the_way_to_batches_and_back() {
        let mut table = Table::default();
        table.metadata.insert("about".into(), "a test".into());
        table.push("id", Column::U32(vec![0, 1, 2])).unwrap();
        table.push("class", Column::Text(vec!["cat".into(), "dog".into(), "é".into()])).unwrap();
        table.push("el2n@1", Column::F32(vec![0.5, 0.25, 1.0])).unwrap();
        let batch = table.to_batch().unwrap();
        let (front, back) = (batch.slice(0, 2), batch.slice(2, 1));
        assert_eq!(Table::from_batches(&batch.schema(), &[front, back]).unwrap(), table);
    }

    #[test]
    fn nan_is_null_in_a_batch() {
        let mut table = Table::default();
        table.push("aum", Column::F32(vec![1.0, f32::NAN])).unwrap();
        let batch = table.to_batch().unwrap();
        assert_eq!(batch.column(0).null_count(), 1);
        let back = Table::from_batches(&batch.schema(), &[batch]).unwrap();
        assert!(back.floats("aum").unwrap()[1].is_nan());
    }

    #[test]
    fn a_number_that_does_not_fit_is_named_with_its_row() {
        let values: arrow_array::ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![3, -1]));
        let batch = RecordBatch::try_from_iter([("id", values)]).unwrap();
        let message = Table::from_batches(&batch.schema(), &[batch]).unwrap_err().to_string();
        assert!(message.contains("column id has -1 in row 1"), "{message}");
    }
}
