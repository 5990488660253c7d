#define _GNU_SOURCE
#include "wire.h"

#include <string.h>

enum { PDUS_AT_ONCE = 128, HEADS = PDU_HEAD + PDV_HEAD };

size_t put_element(uint8_t *to, uint16_t element, const void *value, size_t size)
{
    uint8_t head[8] = {0, 0, (uint8_t)element, (uint8_t)(element >> 8), (uint8_t)size, (uint8_t)(size >> 8)};
    memcpy(to, head, 8);
    memcpy(to + 8, value, size);
    return size + 8;
}

size_t put_number(uint8_t *to, uint16_t element, uint16_t value)
{
    uint8_t raw[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    return put_element(to, element, raw, 2);
}

size_t put_text(uint8_t *to, uint16_t element, const char *text, char padding)
{
    size_t size = strlen(text), even = size + size % 2;
    put_element(to, element, text, size);
    to[4] = (uint8_t)even, to[5] = (uint8_t)(even >> 8);
    if (even > size)
        to[8 + size] = (uint8_t)padding;
    return even + 8;
}

size_t put_group_length(uint8_t *command, size_t size)
{
    uint32_t rest = (uint32_t)size - 12;
    uint8_t raw[4] = {(uint8_t)rest, (uint8_t)(rest >> 8), (uint8_t)(rest >> 16), (uint8_t)(rest >> 24)};
    put_element(command, 0x0000, raw, 4);
    return size;
}

size_t request(uint8_t *to, uint16_t field, const char *sop_class, uint16_t message_id, int data)
{
    size_t size = 12;
    size += put_text(to + size, 0x0002, sop_class, 0);
    size += put_number(to + size, 0x0100, field);
    size += put_number(to + size, 0x0110, message_id);
    if (field != C_ECHO)
        size += put_number(to + size, 0x0700, 0);
    size += put_number(to + size, 0x0800, data ? 0 : 0x0101);
    return put_group_length(to, size);
}

static void put_heads(uint8_t *to, size_t payload, uint8_t context_id, uint8_t control)
{
    to[0] = P_DATA, to[1] = 0;
    put32be(to + 2, (uint32_t)payload + PDV_HEAD);
    put32be(to + 6, (uint32_t)payload + 2);
    to[10] = context_id, to[11] = control;
}

void send_message(struct peer *peer, uint8_t context_id, const uint8_t *command, size_t size,
                  const struct body *body)
{
    uint8_t heads[PDUS_AT_ONCE][HEADS];
    struct iovec parts[PDUS_AT_ONCE * 3];
    size_t pdus = 1, count = 2, at = 0, room = peer->pdu_max - PDV_HEAD;
    uint64_t left = body ? body->size + body->fill : 0;
    put_heads(heads[0], size, context_id, CONTROL_COMMAND | CONTROL_LAST);
    parts[0] = (struct iovec){heads[0], HEADS};
    parts[1] = (struct iovec){(void *)command, size};
    while (left) {
        size_t payload = left < room ? (size_t)left : room, held = body->size - at;
        size_t from_data = held < payload ? held : payload;
        left -= payload;
        put_heads(heads[pdus], payload, context_id, left ? CONTROL_DATA : CONTROL_LAST);
        parts[count++] = (struct iovec){heads[pdus++], HEADS};
        if (from_data)
            parts[count++] = (struct iovec){(void *)(body->data + at), from_data};
        if (payload > from_data)
            parts[count++] = (struct iovec){filling, payload - from_data};
        at += from_data;
        if (pdus == PDUS_AT_ONCE) {
            send_parts(peer->fd, parts, count);
            pdus = count = 0;
        }
    }
    if (count)
        send_parts(peer->fd, parts, count);
}

static uint16_t number(const uint8_t *value, size_t size)
{
    return size >= 2 ? (uint16_t)(value[0] | value[1] << 8) : 0;
}

static void text(char *to, size_t room, const uint8_t *value, size_t size)
{
    size_t taken = size < room - 1 ? size : room - 1;
    memcpy(to, value, taken);
    to[taken] = 0;
}

static void parse_command(struct command *command, const uint8_t *raw, size_t size)
{
    for (size_t at = 0; at + 8 <= size;) {
        uint16_t element = number(raw + at + 2, 2);
        size_t length = number(raw + at + 4, 2);
        const uint8_t *value = raw + at + 8;
        at += 8 + length;
        if (at > size)
            die("a Command Set that does not parse");
        switch (element) {
        case 0x0002: text(command->sop_class, sizeof command->sop_class, value, length); break;
        case 0x0100: command->field = number(value, length); break;
        case 0x0110: command->message_id = number(value, length); break;
        case 0x0800: command->data_set_type = number(value, length); break;
        case 0x0900: command->status = number(value, length); break;
        case 0x1000: text(command->sop_instance, sizeof command->sop_instance, value, length); break;
        case 0x1020: command->remaining = number(value, length); break;
        case 0x1021: command->completed = number(value, length); break;
        case 0x1022: command->failed = number(value, length); break;
        case 0x1023: command->warning = number(value, length); break;
        }
    }
}

/* 1 when there is a PDU to read, else *ended is set. */
static int next_pdu(struct peer *peer, uint32_t *size, int *ended)
{
    uint8_t head[PDU_HEAD];
    if (peer->at == peer->used && !fill_buffer(peer)) {
        *ended = 2;
        return 0;
    }
    read_exactly(peer, head, sizeof head);
    *size = get32be(head + 2);
    if (head[0] == P_DATA)
        return 1;
    discard(peer, *size);
    if (head[0] != RELEASE_RQ && head[0] != ABORT)
        die("PDU type %d where P-DATA was due", head[0]);
    *ended = head[0] == RELEASE_RQ ? 1 : 2;
    return 0;
}

uint64_t read_message(struct peer *peer, struct command *command, int *ended)
{
    uint8_t raw[COMMAND_MAX], head[PDV_HEAD];
    size_t held = 0;
    uint64_t data = 0;
    uint32_t left = 0;
    int known = 0;
    *ended = 0;
    memset(command, 0, sizeof *command);
    for (;;) {
        if (!left && !next_pdu(peer, &left, ended))
            return 0;
        read_exactly(peer, head, sizeof head);
        uint32_t size = get32be(head) - 2;
        int last = head[5] & CONTROL_LAST;
        left -= size + PDV_HEAD;
        if (head[5] & CONTROL_COMMAND) {
            if (held + size > sizeof raw)
                die("a Command Set of more than %d bytes", COMMAND_MAX);
            read_exactly(peer, raw + held, size);
            held += size;
            if (last) {
                parse_command(command, raw, held);
                command->context_id = head[4];
                known = 1;
            }
        } else {
            discard(peer, size);
            data += size;
        }
        if (last && known && (command->data_set_type == 0x0101 || !(head[5] & CONTROL_COMMAND)))
            return data;
    }
}

void expect_response(struct peer *peer, struct command *command, uint16_t field)
{
    int ended;
    read_message(peer, command, &ended);
    if (ended)
        die("the peer %s instead of answering", ended == 1 ? "released" : "aborted or closed");
    if (command->field != (field | 0x8000))
        die("command %04XH in answer to %04XH", command->field, field);
}
