// judge – a search's judgements as sequences of kernels that read all numbers on the device.
#pragma once

#include <memory>

#include "../csrc/device.h"

namespace mdbopt::cuda {

std::unique_ptr<Judgement> make_judgement(const DeviceSearch& search,
                                          const search::JudgingFacts& facts, const Place& place);
std::unique_ptr<GuardedJudgement> make_guarded_judgement(const DeviceGuarded& search,
                                                         const search::GuardingFacts& facts,
                                                         const Place& place);

}  // namespace mdbopt::cuda
