import Testing
import Wire

@testable import DataPath

@Suite struct AEADTests {
  @Test(arguments: Providers.all.map { SendableProvider($0) })
  func aProviderSealsAsPublishedAndAsLibcryptoDoes(_ provider: SendableProvider) {
    for seed: UInt64 in 1...3 {
      #expect(AEADSelfTest(seed: seed).failure(of: provider.value, against: LibcryptoProvider()) == nil)
    }
  }

  @Test(arguments: Providers.all.map { SendableProvider($0) })
  func aKeyHas32Bytes(_ provider: SendableProvider) {
    for length in [0, 16, 31, 33, 36] {
      var isMade = false
      if let key = provider.value.makeKey(Array(repeating: 1, count: length)) {
        isMade = true
        _ = consume key
      }
      #expect(!isMade)
    }
  }

  /// A vector that was mistyped would read as one that no library fulfils, or be empty.
  @Test func theVectorsAreWhole() {
    for vector in AEADVector.all {
      #expect(vector.key.count == 32 && vector.nonce.count == 12 && vector.tag.count == 16)
      #expect(vector.text.count == vector.sealed.count)
    }
  }

  @Test(arguments: BrokenProvider.Fault.allCases)
  func theSelfTestFindsALibraryThatIsWrong(_ fault: BrokenProvider.Fault) throws {
    let failure = try #require(
      AEADSelfTest(seed: 1).failure(of: BrokenProvider(fault: fault), against: LibcryptoProvider()))
    #expect(failure.contains(fault.rawValue))
  }
}

/// A name for a test's argument.
struct SendableProvider: CustomTestStringConvertible {
  let value: any AEADProvider

  init(_ value: any AEADProvider) { self.value = value }

  var testDescription: String { value.name }
}

/// libcrypto with one fault.
struct BrokenProvider: AEADProvider {
  /// The raw value is what the self-test says of it.
  enum Fault: String, CaseIterable {
    case noKey = "takes no key"
    case wrongLongTexts = "seals 1400 bytes otherwise"
    case wrongTag = "otherwise than published"
    case opensAnything = "opens a changed text"
    case opensNothing = "does not open"
    case writesBehind = "writes beside"
  }

  let fault: Fault
  var name: String { "broken" }

  final class State {
    let fault: Fault
    let key: AEADKey

    init(_ fault: Fault, _ key: consuming AEADKey) {
      self.fault = fault
      self.key = key
    }
  }

  func makeKey(_ key: [UInt8]) -> AEADKey? {
    guard fault != .noKey, let inner = LibcryptoProvider().makeKey(key) else { return nil }
    return AEADKey(
      state: Unmanaged.passRetained(State(fault, inner)).toOpaque(),
      seal: { state, nonce, aad, aadLength, bytes, count, tag in
        let state = Unmanaged<State>.fromOpaque(state).takeUnretainedValue()
        let sealed = state.key.seal(
          nonce: nonce, aad: aad, aadLength: aadLength, bytes: bytes, count: count, tag: tag)
        if state.fault == .wrongLongTexts, count >= 1400 { (bytes + 1399).storeBytes(of: 0, as: UInt8.self) }
        if state.fault == .wrongTag { (tag + 15).storeBytes(of: 0, as: UInt8.self) }
        if state.fault == .writesBehind { (tag + 16).storeBytes(of: 0, as: UInt8.self) }
        return sealed
      },
      open: { state, nonce, aad, aadLength, bytes, count, tag in
        let state = Unmanaged<State>.fromOpaque(state).takeUnretainedValue()
        let opened = state.key.open(
          nonce: nonce, aad: aad, aadLength: aadLength, bytes: bytes, count: count, tag: tag)
        return state.fault == .opensAnything || (opened && state.fault != .opensNothing)
      },
      release: { Unmanaged<State>.fromOpaque($0).release() })
  }
}
