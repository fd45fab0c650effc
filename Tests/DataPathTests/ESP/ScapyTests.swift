import Glibc
import Testing
import Wire

@testable import DataPath

/// Another implementation of ESP, scapy's, opens what we seal and seals what we open.
@Suite(.enabled(if: Scapy.isInstalled, "python3-scapy is not installed")) struct ScapyTests {
  /// Around the end of the low half, and far behind it.
  private static let numbers: [UInt64] = [1, 2, 0xffff_fffe, 0xffff_ffff, 1 << 32, 1 << 32 + 1, 7 << 32 + 77]
  private static let lengths = [0, 1, 2, 3, 4, 5, 37, 64, 1440, 1441, 1442, 1443]

  private static func payload(_ length: Int) -> [UInt8] {
    (0..<length).map { UInt8(truncatingIfNeeded: $0 * 5 + length) }
  }

  @Test func scapyOpensWhatWeSeal() throws {
    let pair = try ESPPair()
    var (lines, expected): ([String], [String]) = ([], [])
    for number in Self.numbers {
      for (index, length) in Self.lengths.enumerated() {
        let sender = try OutboundSA(
          spi: ESPPair.spi, material: ESPPair.material, threads: 1,
          provider: Providers.all[index % Providers.all.count],
          used: number - 1)
        let packet = pair.seal(Self.payload(length), nextHeader: 253, by: sender)
        lines.append("\(number >> 32) \(Hex.string(packet))")
        expected.append("253 x\(Hex.string(Self.payload(length)))")
      }
    }
    #expect(try Scapy.run(Scapy.opening, lines) == expected)
  }

  @Test func weOpenWhatScapySeals() throws {
    let lines = Self.numbers.flatMap { number in
      // An IV of its own choice, as a kernel's is not the number.
      Self.lengths.map { length in
        "\(number) \(Hex.string(ESPPair.bytes(number ^ 0x1122_3344_5566_7788))) x\(Hex.string(Self.payload(length)))"
      }
    }
    let packets = try Scapy.run(Scapy.sealing, lines).map { try #require(Hex.bytes($0)) }
    try #require(packets.count == lines.count)
    for (place, packet) in packets.enumerated() {
      let number = Self.numbers[place / Self.lengths.count]
      let pair = try ESPPair(provider: Providers.all[place % Providers.all.count])
      // The receiver has come near the number by steps that are short enough to follow.
      for step in stride(from: 1 << 31, to: number, by: 1 << 31) {
        let before = try ESPPair.authentic([1, 2, 2, 59], sequence: step)
        #expect(pair.open(before) == .payload([], 59))
      }
      #expect(pair.open(packet) == .payload(Self.payload(Self.lengths[place % Self.lengths.count]), 253))
      #expect(pair.open(packet) == .dropped(.replayed))
    }
  }
}

/// Scapy in a process of its own: one line of input for each packet, one of output.
private enum Scapy {
  struct Failure: Error { var output: [String] }

  static let isInstalled = (try? run("import scapy.layers.ipsec, cryptography; print('here')", [])) == ["here"]

  private static let head = """
    import sys
    from scapy.layers.inet import IP
    from scapy.layers.ipsec import ESP, SecurityAssociation
    from scapy.packet import Raw
    sa = SecurityAssociation(ESP, spi=\(ESPPair.spi), crypt_algo="AES-GCM",
                             crypt_key=bytes.fromhex("\(Hex.string(ESPPair.material))"), esn_en=True)

    """

  /// The upper half of the number and the packet; the next header and the payload behind an x.
  static let opening =
    head + """
      for line in sys.stdin:
          high, packet = line.split()
          ip = IP(src="192.0.2.1", dst="192.0.2.2", proto=50) / ESP(bytes.fromhex(packet))
          opened = sa.decrypt(ip, esn=int(high))
          print(opened.proto, "x" + bytes(opened.payload).hex())
      """

  /// The number, the IV and the payload behind an x; the packet.
  static let sealing =
    head + """
      for line in sys.stdin:
          number, iv, payload = line.split()
          number = int(number)
          ip = IP(src="192.0.2.1", dst="192.0.2.2", proto=253) / Raw(bytes.fromhex(payload[1:]))
          sealed = sa.encrypt(ip, seq_num=number & 0xffffffff, iv=bytes.fromhex(iv), esn=number >> 32)
          print(bytes(sealed[ESP]).hex())
      """

  static func run(_ script: String, _ lines: [String]) throws -> [String] {
    var template = Array("/tmp/weft-scapy-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(output: ["no directory"]) }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let (program, input) = ("\(directory)/run.py", "\(directory)/input")
    defer {
      for file in [program, input] { unlink(file) }
      rmdir(directory)
    }
    try write(script + "\n", to: program)
    try write(lines.map { $0 + "\n" }.joined(), to: input)
    // scapy looks for interfaces when it starts, and warns of what it does not find.
    guard let pipe = popen("timeout 60 /usr/bin/python3 \(program) < \(input) 2> /dev/null", "r") else {
      throw Failure(output: ["no process"])
    }
    var text: [UInt8] = []
    while case let character = fgetc(pipe), character != EOF { text.append(UInt8(truncatingIfNeeded: character)) }
    let status = pclose(pipe)
    let output = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    guard status == 0 else { throw Failure(output: output) }
    return output
  }

  private static func write(_ text: String, to file: String) throws {
    guard let stream = fopen(file, "we") else { throw Failure(output: ["no \(file)"]) }
    fputs(text, stream)
    guard fclose(stream) == 0 else { throw Failure(output: ["no \(file)"]) }
  }
}
