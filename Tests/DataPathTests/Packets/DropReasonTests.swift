import DataPath
import Testing

@Suite struct DropReasonTests {
  @Test func theReasonsAreCountedFromZeroWithoutAGap() {
    #expect(DropReason.allCases.map { Int($0.rawValue) } == Array(0..<DropReason.count))
  }

  @Test func eachHasANameAndASentenceOfItsOwn() {
    #expect(Set(DropReason.allCases.map(\.name)).count == DropReason.count)
    #expect(Set(DropReason.allCases.map(\.explanation)).count == DropReason.count)
    #expect(DropReason.allCases.allSatisfy { $0.explanation.hasSuffix(".") })
    #expect(DropReason.unknownSPI.name == "unknownSPI")
  }
}
