import Glibc
import Testing

@testable import DataPath

@Suite struct OutboundSATests {
  @Test func behindTheLastNumberNothingIsSealedEver() throws {
    let pair = try ESPPair(used: OutboundSA.lastSequence - 2)
    #expect(pair.seal([1]).count == 36)
    #expect(pair.seal([1]).count == 36)
    for _ in 0..<1000 { #expect(pair.seal([1]).isEmpty) }
    #expect(pair.outbound.packets == 2)
  }

  @Test func whatTheLibraryRefusedIsNotAPacket() throws {
    let pair = try ESPPair(provider: RefusingProvider())
    #expect(pair.seal([1]).isEmpty)
    #expect(pair.outbound.packets == 0 && pair.outbound.bytes == 0)
  }

  @Test func theEndOfTheNumbersAndARefusalAreToldApart() throws {
    for (pair, result) in [
      (try ESPPair(used: OutboundSA.lastSequence), OutboundSA.exhausted),
      (try ESPPair(provider: RefusingProvider()), OutboundSA.refused),
    ] {
      #expect(pair.outbound.seal(pair.memory, payloadLength: 4, nextHeader: 17, thread: 0) == result)
    }
  }

  /// Two SAs of one key, as by a mistake of whoever hands out keys: what they seal under the same number has no nonce in
  /// common.
  @Test func twoSAsOfOneKeyHaveNoIVInCommon() throws {
    var ivs: Set<[UInt8]> = []
    for _ in 0..<8 {
      let pair = try ESPPair()
      for _ in 0..<100 {
        let packet = pair.seal([1])
        ivs.insert(Array(packet[8..<16]))
        #expect(pair.open(packet) == .payload([1], 17))
      }
    }
    #expect(ivs.count == 800)
  }

  @Test func eachThreadHasAKeyOfItsOwn() throws {
    let provider = CountingProvider()
    let pair = try ESPPair(provider: provider, threads: 3)
    for (thread, packets) in [4, 1, 2].enumerated() {
      for _ in 0..<packets {
        let length = pair.outbound.seal(pair.memory, payloadLength: 2, nextHeader: 17, thread: thread)
        #expect(length == 36)
      }
    }
    // The last key is that of the other end.
    #expect(provider.keys.map(\.sealed) == [4, 1, 2, 0])
    #expect(pair.outbound.packets == 7 && pair.outbound.bytes == 14)
  }

  @Test func threadsNeverDrawTheSameNumber() throws {
    let (threads, count, length) = (4, 5000, 36)
    let pair = try ESPPair(window: threads * count, threads: threads)
    let work = Work(outbound: pair.outbound, count: count, length: length, threads: threads)
    var running: [pthread_t] = []
    for _ in 0..<threads {
      var thread = pthread_t()
      let started = pthread_create(
        &thread, nil,
        { work in
          guard let work else { return nil }
          Unmanaged<Work>.fromOpaque(work).takeUnretainedValue().run()
          return nil
        }, Unmanaged.passUnretained(work).toOpaque())
      try #require(started == 0)
      running.append(thread)
    }
    for thread in running { pthread_join(thread, nil) }

    var opened = 0
    for place in 0..<threads * count {
      if case .payload = pair.inbound.open(work.memory + place * length, length: length) { opened += 1 }
    }
    #expect(opened == threads * count)
    #expect(pair.inbound.replayed == 0)
    #expect(pair.outbound.packets == UInt64(threads * count))
  }

  /// What the threads of a test share: each takes the next number and its part of the memory.
  private final class Work: @unchecked Sendable {
    let outbound: OutboundSA
    let count: Int
    let length: Int
    let memory: UnsafeMutableRawPointer
    private var next = 0
    private let lock: UnsafeMutablePointer<pthread_mutex_t>

    init(outbound: OutboundSA, count: Int, length: Int, threads: Int) {
      self.outbound = outbound
      self.count = count
      self.length = length
      memory = .allocate(byteCount: threads * count * length, alignment: 64)
      lock = .allocate(capacity: 1)
      pthread_mutex_init(lock, nil)
    }

    deinit {
      memory.deallocate()
      pthread_mutex_destroy(lock)
      lock.deallocate()
    }

    func run() {
      pthread_mutex_lock(lock)
      let thread = next
      next += 1
      pthread_mutex_unlock(lock)
      for number in 0..<count {
        let packet = memory + (thread * count + number) * length
        (packet + OutboundSA.payloadOffset).storeBytes(of: 7, as: UInt8.self)
        _ = outbound.seal(packet, payloadLength: 1, nextHeader: 17, thread: thread)
      }
    }
  }
}

/// Makes keys that seal nothing.
private struct RefusingProvider: AEADProvider {
  var name: String { "refusing" }

  func makeKey(_ key: [UInt8]) -> AEADKey? {
    AEADKey(
      state: .allocate(byteCount: 1, alignment: 1), seal: { _, _, _, _, _, _, _ in false },
      open: { _, _, _, _, _, _, _ in false }, release: { $0.deallocate() })
  }
}

/// Makes keys that only count what they are asked to seal.
private final class CountingProvider: AEADProvider, @unchecked Sendable {
  final class Key { var sealed = 0 }

  private(set) var keys: [Key] = []
  var name: String { "counting" }

  func makeKey(_ bytes: [UInt8]) -> AEADKey? {
    let key = Key()
    keys.append(key)
    return AEADKey(
      state: Unmanaged.passRetained(key).toOpaque(),
      seal: { state, _, _, _, _, _, _ in
        Unmanaged<Key>.fromOpaque(state).takeUnretainedValue().sealed += 1
        return true
      }, open: { _, _, _, _, _, _, _ in true }, release: { Unmanaged<Key>.fromOpaque($0).release() })
  }
}
