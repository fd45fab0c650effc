import Testing
import Wire

@testable import Registry

@Suite struct NamesTests {
  @Test(arguments: ["blue", "a", "0net", "A.b_c-9", String(repeating: "n", count: 63)])
  func aNameOfLettersDigitsAndSomeSignsIsTaken(_ text: String) throws {
    #expect(try NetworkName(text).text == text)
    #expect(try HostName(text).text == text)
  }

  @Test(arguments: [
    "", " ", "two words", "a/b", "../x", "-x", ".x", "_x", "naïve", "a\nb", "a\0b", String(repeating: "n", count: 64),
    String(repeating: "n", count: 300), "blau🙂",
  ])
  func aNameThatWouldNotFitAPathOrATableIsRefusedWithASentence(_ text: String) {
    let error = #expect(throws: RegistryError.self) { try NetworkName(text) }
    #expect(error?.description.contains("1 to 63 ASCII letters") == true)
    #expect(error?.description.utf8.allSatisfy { $0 >= 32 && $0 < 127 } == true)
  }

  @Test(arguments: [
    "xenbr0", "xapi1", "vif1", "tap0", "eth0", "Eth0", "sixteen-chars-xx", "a b", "a/b", "", ".", "..", "br:0", "brü",
  ])
  func aBridgeNameThatXenOrLinuxCannotHaveIsRefused(_ text: String) {
    #expect(throws: RegistryError.self) { try BridgeName(text) }
  }

  @Test func aBridgeIsNamedAfterItsNetworkIfThatFits() throws {
    let vni = try #require(VNI(77))
    #expect(BridgeName(network: try NetworkName("blue"), vni: vni).text == "weft-blue")
    #expect(BridgeName(network: try NetworkName("ten-chars1"), vni: vni).text == "weft-ten-chars1")
    #expect(BridgeName(network: try NetworkName("eleven-char"), vni: vni).text == "weft77")
  }

  @Test func anMTUOutsideTheRangeIsRefused() throws {
    #expect(try NetworkMTU(576).value == 576)
    #expect(try NetworkMTU(9000).value == 9000)
    for value in [-1, 0, 575, 9001, 65535, 1 << 40] { #expect(throws: RegistryError.self) { try NetworkMTU(value) } }
  }

  @Test func aDerivedVNIIsNeverZeroAndFitsItsBits() {
    var generator = SeededGenerator(seed: 1)
    var seen: Set<VNI> = []
    for _ in 0..<1000 { seen.insert(VNI.derived(from: NetworkID(random: generator.next(), generator.next()))) }
    #expect(seen.count > 990)
    #expect(VNI.derived(from: net(1)) == VNI.derived(from: net(1)))
  }
}
