import CAllocations
import Testing

@testable import DataPath

/// A packet takes nothing from the heap, whatever becomes of it.
@Suite struct ESPAllocationTests {
  private static let packets = 2000

  @Test(arguments: Providers.all.map { SendableProvider($0) })
  func sealingAndOpeningTakeNoMemory(_ provider: SendableProvider) throws {
    let pair = try ESPPair(provider: provider.value)
    let (outbound, inbound, packet) = (pair.outbound, pair.inbound, pair.memory)
    var opened = 0
    let taken = allocations {
      for number in 0..<Self.packets {
        let length = outbound.seal(packet, payloadLength: 1440 - number % 7, nextHeader: 17, thread: 0)
        if case .payload = inbound.open(packet, length: length) { opened += 1 }
      }
    }
    #expect(opened == 2 * Self.packets)
    #expect(taken == 0)
  }

  @Test(arguments: Providers.all.map { SendableProvider($0) })
  func droppingTakesNoMemory(_ provider: SendableProvider) throws {
    let pair = try ESPPair(provider: provider.value)
    let (outbound, inbound, packet) = (pair.outbound, pair.inbound, pair.memory)
    var reasons: (forged: Int, replayed: Int, malformed: Int) = (0, 0, 0)
    let taken = allocations {
      for _ in 0..<Self.packets {
        let length = outbound.seal(packet, payloadLength: 100, nextHeader: 17, thread: 0)
        if case .dropped(.malformedESP) = inbound.open(packet, length: length - 1) { reasons.malformed += 1 }
        packet.storeBytes(of: 0x55, toByteOffset: length - 1, as: UInt8.self)
        if case .dropped(.integrity) = inbound.open(packet, length: length) { reasons.forged += 1 }
        packet.storeBytes(of: 0, toByteOffset: ESPLayout.sequence, as: UInt32.self)
        if case .dropped(.replayed) = inbound.open(packet, length: length) { reasons.replayed += 1 }
      }
    }
    #expect(reasons.malformed == 2 * Self.packets && reasons.replayed == 2 * Self.packets)
    #expect(reasons.forged > 2 * Self.packets * 9 / 10)
    #expect(taken == 0)
  }

  @Test func aTestThatTakesMemoryIsFound() {
    let taken = allocations {
      for size in 1...10 { UnsafeMutableRawPointer.allocate(byteCount: size * 100, alignment: 64).deallocate() }
    }
    #expect(taken >= 10)
  }

  /// The first call of anything may make metadata of its types, or the state of a thread: that is once, not per packet.
  private func allocations(_ body: () -> Void) -> UInt {
    body()
    weft_allocations_begin()
    body()
    return weft_allocations_end()
  }
}
