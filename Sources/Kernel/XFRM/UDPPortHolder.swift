import Glibc
import Wire

/// Which program has a UDP port of the calling thread's network namespace, for the sentence that says so.
package enum UDPPortHolder {
  /// As in ", which charon (process 123) has"; nil if it is none that can be seen, as where the kernel itself has it.
  package static func find(_ address: IPAddress, _ port: UInt16) -> String? {
    for inode in sockets(address, port) {
      guard let process = process(having: "socket:[\(inode)]") else { continue }
      let name = TextFile.lines("/proc/\(process)/comm").first ?? "a program"
      return ", which \(name) (process \(process)) has"
    }
    return nil
  }

  /// The numbers of the sockets that are bound to this address and port, or to the port of all addresses.
  private static func sockets(_ address: IPAddress, _ port: UInt16) -> [String] {
    let number = hex(port)
    let own = shown(address)
    return ["udp", "udp6"].flatMap { TextFile.lines("/proc/thread-self/net/\($0)") }.compactMap { line in
      // Its number, local and remote end, state, queues, timer, retransmissions, user, timeout and inode.
      let fields = line.split(separator: " ")
      guard fields.count > 9, fields[1].hasSuffix(":\(number)") else { return nil }
      let local = fields[1].dropLast(number.count + 1)
      return local == own || local.allSatisfy { $0 == "0" } ? String(fields[9]) : nil
    }
  }

  /// An address as those files have it: each four bytes of the wire as one number of this machine.
  private static func shown(_ address: IPAddress) -> String {
    let bytes = address.bytes
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      hex(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: UInt32.self) })
    }.joined()
  }

  private static func hex(_ number: some FixedWidthInteger) -> String {
    let digits = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: number.bitWidth / 4 - digits.count) + digits
  }

  private static func process(having target: String) -> String? {
    names("/proc").first { process in
      process.allSatisfy(\.isNumber)
        && names("/proc/\(process)/fd").contains { self.target("/proc/\(process)/fd/\($0)") == target }
    }
  }

  private static func names(_ directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      names.append(name)
    }
    return names
  }

  private static func target(_ link: String) -> String? {
    var bytes = [CChar](repeating: 0, count: 64)
    let count = readlink(link, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
  }
}
