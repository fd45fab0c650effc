import Kernel
import Namespaces

/// Runs `body` on a host that has a network's bridge and nothing else.
///
/// - Parameter body: gets the bridge's interface index.
func withBridge(_ body: (KernelNetwork, Int32) throws -> Void) throws {
  try Namespace().run {
    let kernel = try KernelNetwork()
    try body(kernel, try kernel.ensureBridge(Specs.bridge()).index)
  }
}

/// Gives the calling thread's namespace an underlay: 192.0.2.1 on u0.
func addUnderlay() throws {
  try sh("ip link add u0 mtu 1600 type veth peer name u1 && ip link set u0 up && ip link set u1 up")
  try sh("ip addr add 192.0.2.1/24 dev u0")
}

/// Gives the bridge weft-blue of the calling thread's namespace a VIF, vif1.0, with a guest behind it.
func addVIF() throws {
  try sh("ip link add vif1.0 type veth peer name g && ip link set vif1.0 master weft-blue up && ip link set g up")
}
