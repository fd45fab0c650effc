import Testing

@testable import weft

struct TextTests {
  @Test(
    "milliseconds are shown as seconds, to a hundredth or to what is left of it",
    arguments: [
      (0, "0.000 s"), (4, "0.004 s"), (10, "0.01 s"), (38, "0.04 s"), (44, "0.04 s"), (45, "0.05 s"), (996, "1.00 s"),
      (30_250, "30.25 s"),
    ])
  func seconds(_ milliseconds: Int, _ text: String) { #expect(Text.seconds(milliseconds) == text) }
}
