// SPDX-License-Identifier: Apache-2.0
/* The list of drivers' working halves; see device.h. It is complete before a second core looks at it. */
#include "hv/core/device.h"

static struct list services = { &services, &services };

void device_service_add(struct device_service *s) { list_add_tail(&services, &s->link); }

void device_service_remove(struct device_service *s) { list_remove(&s->link); }

void device_serve_all(void)
{
    LIST_FOR_EACH(it, &services) {
        struct device_service *s = CONTAINER_OF(it, struct device_service, link);
        s->serve(s->arg);
    }
}
