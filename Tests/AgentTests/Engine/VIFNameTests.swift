import Testing

@testable import Agent

@Suite struct VIFNameTests {
  @Test(arguments: ["vif1.0", "vif0.0", "vif12345.67"]) func theseAreNetbackPorts(name: String) {
    #expect(VIFName.isNetback(name))
  }

  @Test(arguments: [
    "", "vif", "vif.", "vif1", "vif1.", "vif.0", "vif1.0.0", "vif1.0-emu", "tap1.0", "veth0", "xvif1.0", "vif1.0 ",
    "vif-1.0", "vif+1.0", "vif1,0", "VIF1.0", "vifa.0", "vif1.x", "vif١.٠",
  ]) func theseAreNot(name: String) { #expect(!VIFName.isNetback(name)) }
}
