//! Columns without lines: the first to the left, numbers to the right.

use comfy_table::{CellAlignment, ContentArrangement, Table as Cells, presets::NOTHING};

use super::{line::WIDTH, style::Style};
use crate::output::text::{shortened, width};

/// The widest cell: a longer one would widen all rows.
const NAME: usize = 40;

/// What is between columns.
const GAP: u16 = 2;

/// No name is shorter than that to make room for numbers.
const SHORTEST: usize = 8;

/// A table that is printed with its heading.
pub struct Table {
    /// The heading, and the rows.
    lines: Vec<Vec<String>>,
    left: usize,
    /// How wide it may be beyond what all are.
    spare: usize,
}

impl Table {
    /// A table whose first `left` columns are text.
    pub fn new(left: usize, header: &[&str]) -> Self {
        let header = header.iter().map(|&cell| cell.to_owned()).collect();
        Self {
            lines: vec![header],
            left,
            spare: 0,
        }
    }

    /// The same with room for so many columns more in a cell.
    pub fn wider(self, by: usize) -> Self {
        Self {
            spare: self.spare.saturating_add(by),
            ..self
        }
    }

    /// One row.
    pub fn row<I: IntoIterator<Item = String>>(&mut self, row: I) {
        let widest = NAME.saturating_add(self.spare);
        let cells = row.into_iter().map(|cell| shortened(&cell, widest));
        self.lines.push(cells.collect());
    }

    /// The lines, the heading emphasised.
    pub fn render(mut self, style: Style) -> String {
        self.hold_width();
        let mut text = String::new();
        for (at, line) in self.cells().lines().enumerate() {
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

    /// Shortens names where the numbers behind them leave less room.
    fn hold_width(&mut self) {
        let columns = self.columns();
        let numbers = (1..columns).map(|column| self.width_of(column).saturating_add(GAP.into()));
        let numbers = numbers.fold(0, usize::saturating_add);
        let room = WIDTH.saturating_add(self.spare).saturating_sub(numbers);
        for name in self.lines.iter_mut().filter_map(|line| line.first_mut()) {
            *name = shortened(name, room.max(SHORTEST));
        }
    }

    fn columns(&self) -> usize {
        self.lines.first().map_or(0, Vec::len)
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    }

    fn cells(&self) -> Cells {
        let mut cells = Cells::new();
        cells
            .load_preset(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        let mut lines = self.lines.iter();
        if let Some(header) = lines.next() {
            cells.set_header(header);
        }
        for line in lines {
            cells.add_row(line);
        }
        for (at, column) in cells.column_iter_mut().enumerate() {
            column.set_cell_alignment(if at < self.left {
                CellAlignment::Left
            } else {
                CellAlignment::Right
            });
            let is_last = at.saturating_add(1) == self.columns();
            let right = if is_last { 0 } else { GAP };
            column.set_padding((0, right));
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_room_for_numbers() {
        let render = |number: &str, spare: usize| {
            let mut table = Table::new(1, &["name", "number"]).wider(spare);
            table.row([format!("{:a<30}", ""), number.to_owned()]);
            table.row(["short".to_owned(), "1".to_owned()]);
            table.render(Style::PLAIN)
        };
        let widest = |text: &str| text.lines().map(width).max();
        let fits = render("123", 0);
        assert_eq!(widest(&fits), Some(30 + 2 + 6), "{fits}");
        // The numbers take 40 columns at most.
        let wide = render(&format!("{:1<40}", ""), 0);
        assert_eq!(widest(&wide), Some(30 + 2 + 40), "{wide}");
        let wider = render(&format!("{:1<60}", ""), 20);
        assert_eq!(widest(&wider), Some(30 + 2 + 60), "{wider}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut table = Table::new(1, &["name", "one", "two"]);
        let number = format!("{:1<30}", "");
        table.row([
            "a name of more than that".to_owned(),
            number.clone(),
            number,
        ]);
        let text = table.render(Style::PLAIN);
        let row = text.lines().nth(1).expect("a row");
        assert!(row.starts_with("a name of mor...  1"), "{text}");
        assert_eq!(width(row), WIDTH, "{text}");
    }
}
