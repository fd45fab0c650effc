import Glibc
import Kernel
import Testing

/// Tests that need what this machine's kernel may lack. In the kernel lab they always run, so that a kernel there that
/// lost an ability fails instead of skipping.
enum KernelLab {
  private static let isHere = getenv("WEFT_LAB") != nil
  private static let abilities = KernelAbilities.probe()

  static let hasESP: ConditionTrait = .enabled(
    if: isHere || abilities.esp == nil, "needs ESP: runs in the kernel lab")
  static let hasGRE: ConditionTrait = .enabled(
    if: isHere || abilities.gretap == nil, "needs gretap: runs in the kernel lab")
  static let isHereOnly: ConditionTrait = .enabled(if: isHere, "is about the kernel of the kernel lab: runs there")
}
