import Namespaces
import Overlay

@testable import Agent

/// Runs `body` on a host of the pool "test" that leaves the kernel to carry its networks.
func withKernelSide(_ body: (KernelSide) throws -> Void) throws {
  try Namespace().run {
    try addUnderlay()
    let side = try KernelSide(underlay: "192.0.2.1")
    side.enter(pool: "test")
    try body(side)
  }
}

/// Every change is made at once.
func keepsNothing(_: Change) -> Bool { false }
