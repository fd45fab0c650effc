import CLinux
import Glibc

/// A command line that did not succeed, with what it said.
package struct ShellFailure: Error, CustomStringConvertible {
  let command: String
  let code: Int32
  let said: String
  package var description: String { "'\(command)' ended with \(code): \(said)" }
}

/// Runs a command line in the calling thread's namespace; returns what it said.
@discardableResult
package func sh(_ command: String) throws -> String {
  let words: [String] = ["sh", "-c", command]
  let strings = words.map { strdup($0) }
  defer { for string in strings { free(string) } }
  var pointers: [UnsafePointer<CChar>?] = strings.map { $0.map { UnsafePointer($0) } }
  pointers.append(nil)
  var said = [CChar](repeating: 0, count: 1 << 16)
  let code = weft_run(&pointers, "", 0, &said, said.count)
  let text = String(decoding: said.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  guard code == 0 else { throw ShellFailure(command: command, code: code, said: text) }
  return text
}
