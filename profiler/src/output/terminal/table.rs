//! Columns without lines: the first to the left, numbers to the right.

use comfy_table::{CellAlignment, ContentArrangement, Table as Cells, presets::NOTHING};

use super::style::Style;
use crate::output::text::shortened;

/// The widest cell: a longer one would widen all rows.
const NAME: usize = 40;

/// A table that is printed with its heading.
pub struct Table {
    cells: Cells,
    left: usize,
    columns: usize,
    widest: usize,
}

impl Table {
    /// A table whose first `left` columns are text.
    pub fn new(left: usize, header: &[&str]) -> Self {
        let mut cells = Cells::new();
        cells
            .load_preset(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(header);
        Self {
            cells,
            left,
            columns: header.len(),
            widest: NAME,
        }
    }

    /// The same with room for so many columns more in a cell.
    pub fn wider(self, by: usize) -> Self {
        Self {
            widest: self.widest.saturating_add(by),
            ..self
        }
    }

    /// One row.
    pub fn row<I: IntoIterator<Item = String>>(&mut self, row: I) {
        let widest = self.widest;
        let cells = row.into_iter().map(|cell| shortened(&cell, widest));
        self.cells.add_row(cells);
    }

    /// The lines, the heading emphasised.
    pub fn render(mut self, style: Style) -> String {
        for (at, column) in self.cells.column_iter_mut().enumerate() {
            column.set_cell_alignment(if at < self.left {
                CellAlignment::Left
            } else {
                CellAlignment::Right
            });
            let is_last = at.saturating_add(1) == self.columns;
            let right = if is_last { 0 } else { 2 };
            column.set_padding((0, right));
        }
        let mut text = String::new();
        for (at, line) in self.cells.lines().enumerate() {
            let line = line.trim_end();
            if at == 0 {
                text.push_str(&style.heading(line));
            } else {
                text.push_str(line);
            }
            text.push('\n');
        }
        text
    }
}
