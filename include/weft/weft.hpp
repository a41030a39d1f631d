#pragma once

// Everything that weft offers.

#include <weft/barrier.hpp>
#include <weft/buffer.hpp>
#include <weft/channel.hpp>
#include <weft/codec.hpp>
#include <weft/combine.hpp>
#include <weft/completion_queue.hpp>
#include <weft/coroutine.hpp>
#include <weft/deadline.hpp>
#include <weft/encoder.hpp>
#include <weft/error.hpp>
#include <weft/exception.hpp>
#include <weft/execution.hpp>
#include <weft/export.hpp>
#include <weft/histogram.hpp>
#include <weft/init.hpp>
#include <weft/initializer.hpp>
#include <weft/lease.hpp>
#include <weft/map.hpp>
#include <weft/message.hpp>
#include <weft/mutex.hpp>
#include <weft/named_task.hpp>
#include <weft/pool.hpp>
#include <weft/pool_view.hpp>
#include <weft/progress.hpp>
#include <weft/rate_limit.hpp>
#include <weft/select.hpp>
#include <weft/semaphore.hpp>
#include <weft/sleep.hpp>
#include <weft/task.hpp>
#include <weft/task_options.hpp>
#include <weft/task_scope.hpp>
#include <weft/value.hpp>
#include <weft/worker.hpp>
