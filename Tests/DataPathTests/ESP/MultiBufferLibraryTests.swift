import Testing

@testable import DataPath

@Suite struct MultiBufferLibraryTests {
  @Test func aLibraryThatIsNotThereIsNamed() {
    #expect(
      sentence("libweft-nowhere.so.1")
        == "libweft-nowhere.so.1 is not installed: AES-GCM may be several times as fast with it.")
  }

  @Test func anotherLibraryIsNotTaken() {
    #expect(sentence("libc.so.6") == "libc.so.6 is not used: it is not libIPSec_MB.")
  }

  @Test func onlyKnownVersionsAreTaken() throws {
    for version: UInt32 in [0x1_0300, 0x1_0301, 0x1_0500] { try MultiBufferLibrary.check(version: version) }
    for (version, text): (UInt32, String) in [(0x3700, "0.55.0"), (0x1_0200, "1.2.0"), (0x2_0001, "2.0.1")] {
      let unusable = #expect(throws: MultiBufferLibrary.Unusable.self) {
        try MultiBufferLibrary.check(version: version)
      }
      #expect(unusable?.description == "libIPSec_MB \(text) is not used: versions 1.3 to 1.x are known.")
    }
  }

  @Test func theFlagsAreThoseOfTheKernelsLine() {
    #expect(ProcessorFlags.parse("flags\t\t: fpu vme avx2\n") == ["fpu", "vme", "avx2"])
    #expect(ProcessorFlags.parse("vmx flags\t: vnmi\n") == nil)
    #expect(ProcessorFlags.parse("flags\n") == nil)
  }

  @Test func theFasterLibraryIsChosen() {
    let (slow, fast) = (BrokenProvider(fault: .wrongTag), LibcryptoProvider())
    let fastest = AEADChoice(between: slow, and: fast) { $0.name == "broken" ? 500 : 400 }
    #expect(fastest.provider.name == fast.name)
    #expect(
      fastest.reason == "broken takes 500 ns for a packet of 1,440 bytes, \(fast.name) 400 ns: libcrypto is used.")
    let other = AEADChoice(between: slow, and: fast) { $0.name == "broken" ? 399 : 400 }
    #expect(other.provider.name == "broken")
    #expect(other.reason == "broken takes 399 ns for a packet of 1,440 bytes, \(fast.name) 400 ns.")
  }

  @Test func whatIsChosenSeals() throws {
    let pair = try ESPPair(provider: AEADChoice.best.provider)
    #expect(pair.open(pair.seal([1, 2, 3])) == .payload([1, 2, 3], 17))
    #expect(!AEADChoice.best.reason.isEmpty)
  }

  private func sentence(_ file: String) -> String? {
    do throws(MultiBufferLibrary.Unusable) {
      _ = try MultiBufferLibrary.find(file)
      return nil
    } catch {
      return error.description
    }
  }
}
