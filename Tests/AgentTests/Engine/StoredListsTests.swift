import Registry
import Testing
import Trust
import Wire

@testable import Agent

/// The lists that the agent keeps on disk: pool records, floors, addresses of peers.
@Suite struct StoredListsTests {
  private let records: [[UInt8]] = [[1], [], [UInt8](repeating: 7, count: 70_000)]
  private let floors = (1...3 as ClosedRange<UInt64>).map { number in
    Floor(host: HostID(high: 1, low: number), boot: Boot(counter: number, nonce: .max), version: .max - number)
  }
  private let peers = [
    PeerAddress(
      host: HostID(high: 1, low: 1), endpoint: Endpoint(address: .v4(0xc000_0201), port: 7677),
      boot: Boot(counter: 4, nonce: 9)),
    PeerAddress(
      host: HostID(high: 1, low: 2), endpoint: Endpoint(address: .v6(high: 0x2001_0db8 << 32, low: 1), port: 1)),
  ]

  private let seeds = [
    Endpoint(address: .v4(0xc000_0203), port: 7677),
    Endpoint(address: .v6(high: 0x2001_0db8 << 32, low: 3), port: 7677),
  ]
  private var peerFile: [UInt8] { PeerAddress.encode(peers, seeds: seeds) }

  @Test func listsReadBackAsTheyWereWritten() throws {
    #expect(try RecordFile.decode(RecordFile.encode(records)) == records)
    #expect(try Floor.decode(Floor.encode(floors)) == floors)
    let read = try PeerAddress.decode(peerFile)
    #expect(read.peers == peers && read.seeds == seeds)
  }

  @Test func emptyListsReadBackAsEmpty() throws {
    #expect(try RecordFile.decode(RecordFile.encode([])).isEmpty)
    #expect(try Floor.decode(Floor.encode([])).isEmpty)
    let read = try PeerAddress.decode(PeerAddress.encode([], seeds: []))
    #expect(read.peers.isEmpty && read.seeds.isEmpty)
  }

  @Test func aListThatIsCutWithinAnEntryIsRefused() {
    let files: [(bytes: [UInt8], ends: Set<Int>, read: ([UInt8]) throws -> Int)] = [
      (RecordFile.encode([[1, 2], [3]]), [0, 6, 11], { try RecordFile.decode($0).count }),
      (Floor.encode(floors), [0, 40, 80, 120], { try Floor.decode($0).count }),
      (
        peerFile, [peerFile.count, peerFile.count - 19, peerFile.count - 26], { try PeerAddress.decode($0).peers.count }
      ),
    ]
    for file in files {
      for end in 0...file.bytes.count {
        let read = try? file.read(Array(file.bytes[..<end]))
        #expect((read != nil) == file.ends.contains(end), "cut at \(end) of \(file.bytes.count)")
      }
    }
  }

  @Test func keysOfTheCAReadBackNewestFirstAndACutOneIsRefused() throws {
    let authorities = try (0..<2).map { _ in try PoolCA(poolName: "east", pool: .random()) }
    let bytes = AuthorityFile.encode(authorities)
    #expect(try AuthorityFile.decode(bytes).map(\.encoded) == authorities.map(\.encoded))
    #expect(try AuthorityFile.decode([]).isEmpty)
    let first = 2 + authorities[0].encoded.count
    for end in 1..<bytes.count where end != first {
      #expect(throws: (any Error).self) { try AuthorityFile.decode(Array(bytes[..<end])) }
    }
  }

  @Test func aLengthFarBeyondTheEndIsRefused() {
    #expect(throws: WireError.self) { try RecordFile.decode([0xff, 0xff, 0xff, 0xff, 1]) }
    #expect(throws: WireError.self) { try PeerAddress.decode([0xff, 0xff]) }
  }

  @Test func changedBytesAreRefusedOrReadAsWhatTheySay() throws {
    var generator = SeededGenerator(seed: 1)
    let originals = [RecordFile.encode([[1, 2, 3], [4]]), Floor.encode(floors), peerFile]
    var read = 0
    for round in 0..<6000 {
      var bytes = originals[round % 3]
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[index] = UInt8.random(in: 0...255, using: &generator)
      }
      switch round % 3 {
      case 0:
        guard let records = try? RecordFile.decode(bytes) else { continue }
        #expect(RecordFile.encode(records) == bytes)
      case 1: #expect(try Floor.encode(Floor.decode(bytes)) == bytes)
      default:
        guard let (peers, seeds) = try? PeerAddress.decode(bytes) else { continue }
        let again = try PeerAddress.decode(PeerAddress.encode(peers, seeds: seeds))
        #expect(again.peers == peers && again.seeds == seeds)
      }
      read += 1
    }
    #expect(read > 2000 && read < 6000, "some changes are read and some are refused")
  }
}
