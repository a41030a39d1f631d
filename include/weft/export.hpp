#pragma once

/// Marks what a shared libweft shows to its users: functions and classes of the public headers that are defined in the
/// library, and every exception type (without it a type thrown by the library is not the one that the program catches).
/// Everything else is hidden.
#define WEFT_EXPORT __attribute__((visibility("default")))
