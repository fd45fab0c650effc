/// Rows of text in aligned columns, two spaces apart.
struct Table {
  private var rows: [[String]]

  init(_ header: String...) { rows = [header] }

  mutating func add(_ cells: String...) { rows.append(cells.map { $0.isEmpty ? "-" : Text.plain($0) }) }

  /// Lines without a space at their end.
  var lines: [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      return String(cells.joined(separator: "  ").trimmingSuffix(" "))
    }
  }

  func print() { for line in lines { Output.line(line) } }
}

/// One thing: a label and a value on each line.
struct Sheet {
  private var rows: [(label: String, value: String)] = []

  mutating func add(_ label: String, _ value: String) {
    rows.append((label, value.isEmpty ? "-" : Text.plain(value)))
  }

  func print() {
    let width = rows.map(\.label.count).max() ?? 0
    for row in rows {
      Output.line(row.label + String(repeating: " ", count: width - row.label.count + 2) + row.value)
    }
  }
}

extension String {
  fileprivate func trimmingSuffix(_ character: Character) -> Substring {
    var text = self[...]
    while text.last == character { text.removeLast() }
    return text
  }
}
