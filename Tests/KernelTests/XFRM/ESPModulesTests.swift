import Glibc
import Testing

@testable import Kernel

@Suite struct ESPModulesTests {
  private let gcm: Set<String> = ["aes", "gcm(aes)", "rfc4106(gcm(aes))"]

  @Test func theMissingModuleIsNamed() {
    func missing(_ names: Set<String>, hasSeqiv: Bool) -> String {
      ESPModules.missing(names, hasSeqiv: hasSeqiv, saysCryptography: true)
    }
    #expect(missing(gcm, hasSeqiv: false) == "load the module seqiv")
    #expect(missing(gcm, hasSeqiv: true) == "load the module drbg (with jitterentropy_rng)")
    #expect(missing(["aes", "stdrng"], hasSeqiv: true) == "load the module gcm")
    #expect(missing(gcm.union(["stdrng"]), hasSeqiv: true) == "load the modules seqiv and drbg")
    #expect(
      ESPModules.missing(["aes"], hasSeqiv: false, saysCryptography: false)
        == "load the modules esp4, esp6, gcm and seqiv")
  }

  @Test func theSentenceSaysWhatTheKernelSaidAndWhatToLoad() {
    let said = "Kernel was unable to initialize cryptographic operations"
    let error = ESPModules.explain(
      .refused(operation: "add the SA", object: "SPI 0x100", code: ENOENT, message: said))
    #expect(error.description.contains(said) && error.description.contains("load the module"))
    #expect(!error.description.contains("It went away"))
    let other = ESPModules.explain(.refused(operation: "add the SA", object: "SPI 0x100", code: ENOMEM, message: nil))
    #expect(!other.description.contains("load the module"))
  }
}
