import Glibc
import Wire

/// Ties a state directory to the machine that it was made on: a copy of it elsewhere would be a second host with the
/// same identity. Several directories on one machine are as good as one.
package struct MachineBinding: Equatable, Sendable {
  /// `/etc/machine-id`; empty if it cannot be read.
  package let machineID: String
  /// The UUID in the firmware's DMI table; empty where there is none.
  package let firmwareID: String

  package init(machineID: String, firmwareID: String) {
    self.machineID = machineID
    self.firmwareID = firmwareID
  }

  /// Of the machine that this runs on.
  package static func current(
    machineIDPath: String = "/etc/machine-id", firmwareIDPath: String = "/sys/class/dmi/id/product_uuid"
  ) -> MachineBinding {
    MachineBinding(machineID: firstLine(of: machineIDPath), firmwareID: firstLine(of: firmwareIDPath))
  }

  /// Stores the binding in a directory that has none, and adds what was unknown before.
  ///
  /// - Throws: `otherMachine` if either of the two was and is known and differs; `machineUnknown` if something is
  ///   stored but neither can be compared.
  package func check(_ directory: StateDirectory) throws(StateError) {
    guard let bytes = try directory.read(.machine) else { return try directory.write(.machine, encoded) }
    guard let stored = MachineBinding(bytes) else {
      throw .damaged("\(directory.path)/\(StateFile.machine.name)", .cut)
    }
    let pairs = [(stored.machineID, machineID), (stored.firmwareID, firmwareID)]
    let comparable = pairs.filter { !$0.0.isEmpty && !$0.1.isEmpty }
    guard comparable.allSatisfy({ $0.0 == $0.1 }) else { throw .otherMachine(directory.path) }
    if comparable.isEmpty, pairs.contains(where: { !$0.0.isEmpty }) { throw .machineUnknown(directory.path) }
    let merged = MachineBinding(
      machineID: machineID.isEmpty ? stored.machineID : machineID,
      firmwareID: firmwareID.isEmpty ? stored.firmwareID : firmwareID)
    if merged != stored { try directory.write(.machine, merged.encoded) }
  }

  private var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.append(machineID)
    writer.append(firmwareID)
    return writer.bytes
  }

  private init?(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    do throws(WireError) {
      machineID = try reader.readString()
      firmwareID = try reader.readString()
    } catch {
      return nil
    }
  }

  private static func firstLine(of path: String) -> String {
    let input = open(path, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { return "" }
    defer { close(input) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = max(0, read(input, &bytes, bytes.count))
    let line = bytes[..<count].prefix { $0 > 0x20 && $0 < 0x7f }
    // What systemd puts there until the first boot is complete.
    let text = String(decoding: line, as: UTF8.self).lowercased()
    return text == "uninitialized" ? "" : text
  }
}
