import Testing
import Wire

@testable import Associations

@Suite struct EpochTests {
  @Test("A later boot is above every epoch of an earlier one") func order() {
    let first = Boot(counter: 1, nonce: 9)
    let second = Boot(counter: 2, nonce: 1)
    #expect(Epoch(boot: first, number: 1) < Epoch(boot: first, number: 2))
    #expect(Epoch(boot: first, number: 100) < Epoch(boot: second, number: 1))
  }
}
