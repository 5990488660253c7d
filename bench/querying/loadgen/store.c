/* C-STORE from memory: one template, its identifiers written over for every instance. */
#define _GNU_SOURCE
#include "loads.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { COUNTER_SPAN = 1000000, SERIES_SPAN = 10000, STUDY_SPAN = 1000 };

void apply_patches(uint8_t *data, long instance, long series, long study)
{
    for (int at = 0; at < options.patch_count; at++) {
        const struct patch *patch = &options.patches[at];
        long value = patch->kind == 'i' ? instance : patch->kind == 'e' ? series : study;
        for (int digit = patch->digits - 1; digit >= 0; digit--, value /= 10)
            data[patch->offset + (size_t)digit] = (uint8_t)('0' + value % 10);
    }
}

/* Where the template says its SOP Instance UID is: the first patch of kind 'i', up to the UID's start. */
static const uint8_t *instance_uid(const uint8_t *data, size_t *size)
{
    for (int at = 0; at < options.patch_count; at++)
        if (options.patches[at].kind == 'i') {
            size_t end = options.patches[at].offset + (size_t)options.patches[at].digits, start = end;
            while (start && (data[start - 1] == '.' || (data[start - 1] >= '0' && data[start - 1] <= '9')))
                start--;
            *size = end - start;
            return data + start;
        }
    die("store needs a patch of kind i");
}

static size_t store_request(uint8_t *to, uint16_t message_id, const uint8_t *data)
{
    size_t uid_size, size = request(to, C_STORE, options.sop_class, message_id, 1);
    const uint8_t *uid = instance_uid(data, &uid_size);
    char text[66] = {0};
    memcpy(text, uid, uid_size < 65 ? uid_size : 65);
    size += put_text(to + size, 0x1000, text, 0);
    return put_group_length(to, size);
}

void store_load(int number, struct tally *tally, void (*ready)(void))
{
    struct peer *peer = calloc(1, sizeof *peer);
    size_t size;
    uint8_t *data = whole_file(options.file, &size), command[512];
    struct body body = {data, size, options.fill};
    associate(peer, options.host, options.port, options.called, options.sop_class, options.syntax);
    ready();
    double began = now();
    for (long done = 0; goes_on(done, began); done++) {
        struct command response;
        apply_patches(data, number * COUNTER_SPAN + done, number * SERIES_SPAN + done / options.per_series,
                      number * STUDY_SPAN + done / options.per_study % STUDY_SPAN);
        double start = now();
        uint16_t message_id = peer->next_message_id++;
        send_message(peer, 1, command, store_request(command, message_id, data), &body);
        expect_response(peer, &response, C_STORE);
        tally->failed += response.status != 0;
        tally->bytes += size + options.fill;
        note(tally, start);
    }
    release(peer);
    free(data);
    free(peer);
}
