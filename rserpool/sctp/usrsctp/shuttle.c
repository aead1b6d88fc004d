/* Carries packets between UDP sockets and libusrsctp, and messages between libusrsctp and Python.

   Python does the same without it (udp.py, engine.py, endpoint.py): here is what nearly every packet needs, without
   Python between the library and the system. What is unusual (a set-up, somebody unknown, an endpoint at
   some of our addresses, a clock that stands still) is handed to Python as it came, and Python hands back nothing.

   The interpreter's lock is held all the time: libusrsctp runs in one thread, and its calls are short. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { DATA = 0, INIT = 1, INIT_ACK = 2, SACK = 3, HEARTBEAT = 4, HEARTBEAT_ACK = 5 }; /* chunks, RFC 9260 section 3.2 */
enum { HEADER = 12, SHORTEST = 16 };                    /* bytes: of the common header, and with one of a chunk */
enum { MSG_NOTIFICATION_ = 0x2000, SCTP_UNORDERED_ = 0x0400, SNDINFO = 1, EVENT_READ = 1, AF_CONN_ = 123 };
enum { AT_ONCE = 16, LARGEST = 65536, MESSAGE = 2 * 65536 };
enum { FEW = 16 };                                      /* endpoints: see news.py */

/* What usrsctp.h declares; library.py checks that the library has it so. */
struct rcvinfo {
    uint16_t sid, ssn, flags;
    uint32_t ppid, tsn, cumtsn, context, assoc_id;
};
struct sockaddr_conn {
    uint16_t family, port;
    uintptr_t handle;
};

static void (*conninput)(uintptr_t, const char *, size_t, uint8_t);
static int (*get_events)(void *);
static ssize_t (*recvv)(void *, char *, size_t, void *, void *, struct rcvinfo *, uint32_t *, unsigned int *, int *);
static ssize_t (*sendv)(void *, const char *, size_t, void *, int, const char *, uint32_t, unsigned int, int);

static PyObject *engine, *clock_, *pace, *by_tag, *crowd, *endpoints, *odd; /* see attach() */
static unsigned char *room;
static unsigned char packets[AT_ONCE][LARGEST];
static char message[MESSAGE];
static int reading;

/* Names of attributes. */
static PyObject *s_acknowledged, *s_answered, *s_beats, *s_bundle, *s_coarse, *s_drain, *s_hear, *s_heard_at, *s_here, *s_lanes, *s_moved, *s_now, *s_only,
    *s_received, *s_sent, *s_volume;

/* Who is at the other end of UDP, by the library's number for it (peers.py). */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct place {
    void *lane;
    struct in6_addr there, here; /* IPv4 in the first four bytes; here: where one socket has all our addresses */
    uint32_t zone;
    uint16_t port;
};

struct peer {
    struct place place; /* place.lane == NULL: nobody */
    union address to;
    socklen_t length;
    PyObject *local; /* our own host, as the peer sees it */
    uint32_t next;   /* in the list of those whose places have the same hash */
};

static struct peer *peers;
static uint32_t peers_room, peers_count;
static uint32_t *lists;
static uint32_t lists_room, seed;

static uint32_t hash(const struct place *place)
{
    const unsigned char *byte = (const unsigned char *)place;
    uint32_t sum = seed;
    for (size_t i = 0; i < sizeof *place; i++)
        sum = (sum ^ byte[i]) * 16777619u;
    return sum ^ sum >> 15;
}

static uint32_t find(const struct place *place)
{
    if (!lists_room)
        return 0;
    uint32_t handle = lists[hash(place) & (lists_room - 1)];
    while (handle && memcmp(&peers[handle].place, place, sizeof *place))
        handle = peers[handle].next;
    return handle;
}

static void enlist(uint32_t handle)
{
    uint32_t *list = &lists[hash(&peers[handle].place) & (lists_room - 1)];
    peers[handle].next = *list;
    *list = handle;
}

static int make_room(uint32_t handle)
{
    if (handle >= peers_room) {
        uint32_t wanted = peers_room ? peers_room : 64;
        while (wanted <= handle)
            wanted *= 2;
        struct peer *larger = PyMem_Realloc(peers, wanted * sizeof *peers);
        if (!larger)
            return -1;
        memset(larger + peers_room, 0, (wanted - peers_room) * sizeof *peers);
        peers = larger;
        peers_room = wanted;
    }
    if (2 * peers_count >= lists_room) {
        uint32_t wanted = lists_room ? 2 * lists_room : 64;
        uint32_t *larger = PyMem_Calloc(wanted, sizeof *lists);
        if (!larger)
            return -1;
        PyMem_Free(lists);
        lists = larger;
        lists_room = wanted;
        for (uint32_t each = 1; each < peers_room; each++)
            if (peers[each].place.lane)
                enlist(each);
    }
    return 0;
}

static void drop(uint32_t handle)
{
    if (handle >= peers_room || !peers[handle].place.lane)
        return;
    uint32_t *at = &lists[hash(&peers[handle].place) & (lists_room - 1)];
    while (*at != handle)
        at = &peers[*at].next;
    *at = peers[handle].next;
    peers[handle].place.lane = NULL;
    Py_CLEAR(peers[handle].local);
    peers_count--;
}

/* A UDP socket. */

typedef struct {
    PyObject_HEAD
    int fd; /* -1: closed */
    int family;
    int wild; /* it has all our addresses: each packet says which */
    unsigned long long came, went; /* packets, without Python */
} Lane;

static struct mmsghdr headers[AT_ONCE];
static struct iovec parts[AT_ONCE];
static union address sources[AT_ONCE];
static union {
    struct cmsghdr aligned;
    char room[128];
} controls[AT_ONCE];

/* Our own address of a packet that came to all of them. */
static int own_address(struct msghdr *header, struct in6_addr *here)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each; each = CMSG_NXTHDR(header, each)) {
        if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
            memcpy(here, &((struct in_pktinfo *)CMSG_DATA(each))->ipi_addr, 4);
            return 1;
        }
        if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
            memcpy(here, &((struct in6_pktinfo *)CMSG_DATA(each))->ipi6_addr, 16);
            return 1;
        }
    }
    return 0;
}

static void set_there(struct place *place, const union address *source)
{
    if (source->any.sa_family == AF_INET) {
        memcpy(&place->there, &source->v4.sin_addr, 4);
        place->port = source->v4.sin_port;
    } else {
        place->there = source->v6.sin6_addr;
        place->port = source->v6.sin6_port;
        place->zone = source->v6.sin6_scope_id;
    }
}

/* An address as the socket module has it, or for a wildcard socket as WildcardSocket has it. */
static PyObject *address(Lane *self, const union address *source, const struct in6_addr *here)
{
    char host[INET6_ADDRSTRLEN];
    PyObject *there;
    if (source->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &source->v4.sin_addr, host, sizeof host);
        there = Py_BuildValue("(si)", host, (int)ntohs(source->v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &source->v6.sin6_addr, host, sizeof host);
        there = Py_BuildValue("(siII)", host, (int)ntohs(source->v6.sin6_port),
                              (unsigned)ntohl(source->v6.sin6_flowinfo), (unsigned)source->v6.sin6_scope_id);
    }
    if (!there || !self->wild)
        return there;
    unsigned char packed[20] = {0};
    if (self->family == AF_INET) {
        memcpy(packed + 4, here, 4);
        return Py_BuildValue("(Ny#)", there, packed, (Py_ssize_t)12);
    }
    memcpy(packed, here, 16);
    return Py_BuildValue("(Ny#)", there, packed, (Py_ssize_t)20);
}

/* Whether an attribute is Python's True or None; -1 if there is none. */
static int is(PyObject *owner, PyObject *name, PyObject *what)
{
    PyObject *value = PyObject_GetAttr(owner, name);
    if (!value)
        return -1;
    Py_DECREF(value);
    return value == what;
}

static int contains(PyObject *owner, PyObject *name, PyObject *what, int none)
{
    PyObject *value = PyObject_GetAttr(owner, name);
    if (!value)
        return -1;
    int found = value == Py_None ? none : PySequence_Contains(value, what);
    Py_DECREF(value);
    return found;
}

static int call(PyObject *owner, PyObject *name)
{
    PyObject *result = PyObject_CallMethodObjArgs(owner, name, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Adds to an attribute that is a number; an exception may be set. */
static void add(PyObject *owner, PyObject *name, Py_ssize_t more)
{
    PyObject *before = PyObject_GetAttr(owner, name);
    PyObject *sum = before ? PyLong_FromSsize_t(PyLong_AsSsize_t(before) + more) : NULL;
    if (sum)
        PyObject_SetAttr(owner, name, sum);
    Py_XDECREF(before);
    Py_XDECREF(sum);
}

/* The endpoint that a packet of somebody known is for; NULL: Python is to look at it, or with an exception set. */
static PyObject *usual(Lane *self, const unsigned char *packet, size_t length, uint32_t handle)
{
    if (!handle || packet[HEADER] > HEARTBEAT_ACK || packet[HEADER] == INIT || packet[HEADER] == INIT_ACK)
        return NULL;
    if (packet[HEADER] != SACK && length > (size_t)HEADER + (packet[14] << 8 | packet[15]) + 3)
        return NULL; /* several messages, or something behind a heartbeat */
    PyObject *port = PyLong_FromLong(packet[2] << 8 | packet[3]);
    if (!port)
        return NULL;
    PyObject *endpoint = PyDict_GetItemWithError(endpoints, port);
    Py_DECREF(port);
    if (!endpoint || contains(endpoint, s_lanes, (PyObject *)self, 0) <= 0 ||
        contains(endpoint, s_only, peers[handle].local, 1) <= 0)
        return NULL;
    Py_INCREF(endpoint);
    return endpoint;
}

/* A heartbeat comes, or is answered: as Pace.heard() does. */
static int heard(const unsigned char *packet)
{
    PyObject *tag = PyBytes_FromStringAndSize((const char *)packet + 4, 4);
    PyObject *association = tag ? PyDict_GetItemWithError(by_tag, tag) : NULL;
    Py_XDECREF(tag);
    if (!association)
        return PyErr_Occurred() ? -1 : 0;
    Py_INCREF(association);
    add(pace, s_beats, 1);
    PyObject *now = PyErr_Occurred() ? NULL : PyObject_GetAttr(clock_, s_now);
    PyObject *result = now ? PyObject_CallMethodObjArgs(association, s_hear, now, NULL) : NULL;
    int failed = !result || (packet[HEADER] == HEARTBEAT_ACK && call(association, s_answered));
    Py_XDECREF(now);
    Py_XDECREF(result);
    Py_DECREF(association);
    return failed ? -1 : 0;
}

static int take(Lane *self, int number, PyObject *unusual)
{
    const unsigned char *packet = packets[number];
    size_t length = headers[number].msg_len;
    struct place place;
    if (length < SHORTEST)
        return 0;
    memset(&place, 0, sizeof place);
    place.lane = self;
    set_there(&place, &sources[number]);
    if (self->wild && !own_address(&headers[number].msg_hdr, &place.here))
        return 0;
    uint32_t handle = find(&place);
    PyObject *endpoint = usual(self, packet, length, handle);
    if (!endpoint) {
        if (PyErr_Occurred())
            return -1;
        memcpy(room, packet, length);
        PyObject *from = address(self, &sources[number], &place.here);
        PyObject *result = from ? PyObject_CallFunction(unusual, "nN", (Py_ssize_t)length, from) : NULL;
        Py_XDECREF(result);
        return result ? 0 : -1;
    }
    /* What is told by the packet that was read last: whose it is. */
    memcpy(room, packet, SHORTEST);
    int kind = packet[HEADER], beats = kind == HEARTBEAT || kind == HEARTBEAT_ACK;
    int failed = beats ? heard(packet) : PyObject_SetAttr(pace, s_moved, Py_True);
    if (!failed) {
        int alone = length <= (size_t)HEADER + (packet[14] << 8 | packet[15]) + 3;
        self->came++;
        conninput(handle, (const char *)packet, length, 0);
        /* Neither brings anything to read. */
        failed = call(endpoint, kind == HEARTBEAT || (kind == SACK && alone) ? s_acknowledged : s_drain);
    }
    Py_DECREF(endpoint);
    return failed;
}

PyDoc_STRVAR(lane_read_doc,
             "read(unusual, most)\n--\n\nRead what came, up to so many datagrams; those that are not usual lie in the engine's\n"
             "room when unusual(length, address) is called.\n\n"
             "@return: how many there were; -1 if there may be more.\n@raise OSError: as recvmsg does.");

static PyObject *lane_read(Lane *self, PyObject *args)
{
    PyObject *unusual;
    int most, done = 0;
    if (!PyArg_ParseTuple(args, "Oi", &unusual, &most))
        return NULL;
    if (reading || self->fd < 0)
        return PyLong_FromLong(-1);
    while (done < most) {
        int wanted = most - done < AT_ONCE ? most - done : AT_ONCE;
        for (int i = 0; i < wanted; i++) {
            struct msghdr *header = &headers[i].msg_hdr;
            parts[i].iov_base = packets[i];
            parts[i].iov_len = LARGEST;
            memset(header, 0, sizeof *header);
            header->msg_name = &sources[i];
            header->msg_namelen = sizeof sources[i];
            header->msg_iov = &parts[i];
            header->msg_iovlen = 1;
            if (self->wild) {
                header->msg_control = &controls[i];
                header->msg_controllen = sizeof controls[i];
            }
        }
        int count = recvmmsg(self->fd, headers, (unsigned)wanted, MSG_DONTWAIT, NULL);
        if (count < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return PyLong_FromLong(done);
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        int failed = 0;
        reading = 1;
        for (int i = 0; i < count && !failed && self->fd >= 0; i++)
            failed = take(self, i, unusual);
        reading = 0;
        if (failed)
            return NULL;
        done += count;
        if (count < wanted || self->fd < 0)
            return PyLong_FromLong(done);
    }
    return PyLong_FromLong(-1);
}

/* What address() makes, read. */
static int parse(Lane *self, PyObject *from, struct peer *peer)
{
    const char *host, *packed = NULL;
    Py_ssize_t length = 0;
    int port;
    unsigned flow = 0, zone = 0;
    char plain[INET6_ADDRSTRLEN];
    if (self->wild && !PyArg_ParseTuple(from, "Oy#", &from, &packed, &length))
        return -1;
    if (!PyArg_ParseTuple(from, "si|II", &host, &port, &flow, &zone))
        return -1;
    size_t end = strcspn(host, "%");
    int well = end < sizeof plain;
    if (well) {
        memcpy(plain, host, end);
        plain[end] = 0;
    }
    if (self->family == AF_INET) {
        peer->to.v4.sin_family = AF_INET;
        peer->to.v4.sin_port = htons((uint16_t)port);
        well = well && inet_pton(AF_INET, plain, &peer->to.v4.sin_addr) == 1 && (!packed || length == 12);
        peer->length = sizeof peer->to.v4;
    } else {
        peer->to.v6.sin6_family = AF_INET6;
        peer->to.v6.sin6_port = htons((uint16_t)port);
        peer->to.v6.sin6_flowinfo = htonl(flow);
        peer->to.v6.sin6_scope_id = zone;
        well = well && inet_pton(AF_INET6, plain, &peer->to.v6.sin6_addr) == 1 && (!packed || length == 20);
        peer->length = sizeof peer->to.v6;
    }
    if (!well) {
        PyErr_Format(PyExc_ValueError, "%R is no address of this socket's", from);
        return -1;
    }
    set_there(&peer->place, &peer->to);
    if (packed)
        memcpy(&peer->place.here, self->family == AF_INET ? packed + 4 : packed, self->family == AF_INET ? 4 : 16);
    peer->place.lane = self;
    return 0;
}

PyDoc_STRVAR(lane_hold_doc, "hold(handle, address, local)\n--\n\nThere is an association with this peer.");

static PyObject *lane_hold(Lane *self, PyObject *args)
{
    unsigned handle;
    struct peer peer;
    PyObject *from, *local;
    if (!PyArg_ParseTuple(args, "IOU", &handle, &from, &local))
        return NULL;
    memset(&peer, 0, sizeof peer);
    if (parse(self, from, &peer) < 0)
        return NULL;
    drop(handle);
    if (handle && self->fd >= 0) {
        if (make_room(handle) < 0)
            return PyErr_NoMemory();
        peers[handle] = peer;
        peers[handle].local = Py_NewRef(local);
        peers_count++;
        enlist(handle);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(lane_release_doc, "release(handle)\n--\n\nThere is none with this peer any more.");

static PyObject *lane_release(Lane *self, PyObject *handle)
{
    unsigned long which = PyLong_AsUnsignedLong(handle);
    if (PyErr_Occurred())
        return NULL;
    if (which < peers_room && peers[which].place.lane == self)
        drop((uint32_t)which);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(lane_carried_doc, "carried()\n--\n\n@return: how many packets came, and how many went, without Python.");

static PyObject *lane_carried(Lane *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("(KK)", self->came, self->went);
}

PyDoc_STRVAR(lane_close_doc, "close()\n--\n\nThe socket is closed, and its peers are forgotten.");

static PyObject *lane_close(Lane *self, PyObject *Py_UNUSED(ignored))
{
    self->fd = -1;
    for (uint32_t each = 1; each < peers_room; each++)
        if (peers[each].place.lane == self)
            drop(each);
    Py_RETURN_NONE;
}

static int lane_init(Lane *self, PyObject *args, PyObject *Py_UNUSED(named))
{
    self->fd = -1;
    return PyArg_ParseTuple(args, "iip", &self->fd, &self->family, &self->wild) ? 0 : -1;
}

static void lane_dealloc(Lane *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(lane_close(self, NULL));
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* Packets that go out. */

static ssize_t send_packet(const struct peer *peer, const void *data, size_t length)
{
    const Lane *lane = peer->place.lane;
    if (!lane->wild)
        return sendto(lane->fd, data, length, MSG_DONTWAIT, &peer->to.any, peer->length);
    union {
        struct cmsghdr aligned;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
    struct iovec part = {(void *)data, length};
    struct msghdr header = {(void *)&peer->to, peer->length, &part, 1, &control, 0, 0};
    struct cmsghdr *own = &control.aligned;
    memset(&control, 0, sizeof control);
    if (lane->family == AF_INET) {
        own->cmsg_level = IPPROTO_IP;
        own->cmsg_type = IP_PKTINFO;
        own->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        header.msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
        memcpy(&((struct in_pktinfo *)CMSG_DATA(own))->ipi_spec_dst, &peer->place.here, 4);
    } else {
        own->cmsg_level = IPPROTO_IPV6;
        own->cmsg_type = IPV6_PKTINFO;
        own->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
        header.msg_controllen = CMSG_SPACE(sizeof(struct in6_pktinfo));
        memcpy(&((struct in6_pktinfo *)CMSG_DATA(own))->ipi6_addr, &peer->place.here, 16);
    }
    return sendmsg(lane->fd, &header, MSG_DONTWAIT);
}

/* Whether nobody wants to know of this packet. */
static int unnoticed(const unsigned char *data, size_t length)
{
    if (is(pace, s_coarse, Py_False) != 1 || is(engine, s_sent, Py_None) != 1 || is(engine, s_bundle, Py_None) != 1)
        return 0;
    if (is(crowd, s_here, Py_False) == 1)
        return 1;
    return length > HEADER && data[HEADER] != HEARTBEAT && data[HEADER] != INIT && PyDict_Size(endpoints) <= FEW;
}

/* What the library calls to send. */
static int output(uintptr_t handle, void *data, size_t length, uint8_t Py_UNUSED(tos), uint8_t Py_UNUSED(df))
{
    PyGILState_STATE state = PyGILState_Ensure();
    if (handle < peers_room && peers[handle].place.lane && unnoticed(data, length) &&
        send_packet(&peers[handle], data, length) >= 0) {
        ((Lane *)peers[handle].place.lane)->went++;
        add(engine, s_volume, (Py_ssize_t)length);
    } else {
        PyErr_Clear();
        PyObject *result = PyObject_CallFunction(odd, "Ky#", (unsigned long long)handle, data, (Py_ssize_t)length);
        Py_XDECREF(result);
    }
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(odd);
    PyGILState_Release(state);
    return 0;
}

/* A socket of the library's. */

typedef struct {
    PyObject_HEAD
    void *so; /* NULL: closed */
} Port;

PyDoc_STRVAR(port_read_doc, "read(by_id, notified)\n--\n\nRead all messages and notifications that there are.");

static PyObject *port_read(Port *self, PyObject *args)
{
    PyObject *by_id, *notified;
    if (!PyArg_ParseTuple(args, "OO", &by_id, &notified))
        return NULL;
    while (self->so && get_events(self->so) & EVENT_READ) {
        struct rcvinfo about;
        uint32_t room_about = sizeof about;
        unsigned int kind = 0;
        int flags = 0;
        ssize_t length = recvv(self->so, message, sizeof message, NULL, NULL, &about, &room_about, &kind, &flags);
        if (length < 0)
            break;
        PyObject *result;
        if (flags & MSG_NOTIFICATION_) {
            result = PyObject_CallFunction(notified, "y#", message, (Py_ssize_t)length);
        } else {
            PyObject *number = PyLong_FromUnsignedLong(about.assoc_id);
            PyObject *association = number ? PyDict_GetItemWithError(by_id, number) : NULL;
            Py_XDECREF(number);
            if (!association) {
                if (PyErr_Occurred())
                    return NULL;
                continue;
            }
            Py_INCREF(association);
            PyObject *now = PyObject_GetAttr(clock_, s_now);
            PyObject *data = PyBytes_FromStringAndSize(message, length);
            PyObject *ppid = PyLong_FromUnsignedLong(ntohl(about.ppid));
            PyObject *stream = PyLong_FromLong(about.sid);
            PyObject *unordered = about.flags & SCTP_UNORDERED_ ? Py_True : Py_False;
            PyObject *whole = flags & MSG_EOR ? Py_True : Py_False;
            result = now && data && ppid && stream && PyObject_SetAttr(association, s_heard_at, now) == 0
                         ? PyObject_CallMethodObjArgs(association, s_received, data, ppid, stream, unordered, whole, NULL)
                         : NULL;
            Py_XDECREF(now);
            Py_XDECREF(data);
            Py_XDECREF(ppid);
            Py_XDECREF(stream);
            Py_DECREF(association);
        }
        if (!result)
            return NULL;
        Py_DECREF(result);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(port_send_doc, "send(data, beside, port=0, handle=0)\n--\n\nSend a message; with a handle to the peer at that place.\n\n"
                            "@return: negative if that is not possible.");

static PyObject *port_send(Port *self, PyObject *args)
{
    const char *data, *beside;
    Py_ssize_t length, beside_length;
    int port = 0;
    unsigned long long handle = 0;
    if (!PyArg_ParseTuple(args, "y#y#|iK", &data, &length, &beside, &beside_length, &port, &handle))
        return NULL;
    if (!self->so)
        return PyLong_FromLong(-1);
    char copy[16]; /* the library writes into it which association that was */
    if (beside_length != sizeof copy)
        return PyErr_Format(PyExc_ValueError, "a struct sctp_sndinfo has 16 bytes, not %zd", beside_length);
    memcpy(copy, beside, sizeof copy);
    struct sockaddr_conn to = {AF_CONN_, htons((uint16_t)port), (uintptr_t)handle};
    ssize_t sent = sendv(self->so, data, (size_t)length, handle ? &to : NULL, handle ? 1 : 0, copy, sizeof copy, SNDINFO, 0);
    return PyLong_FromSsize_t(sent);
}

PyDoc_STRVAR(port_close_doc, "close()\n--\n\nThe library is about to close it.");

static PyObject *port_close(Port *self, PyObject *Py_UNUSED(ignored))
{
    self->so = NULL;
    Py_RETURN_NONE;
}

static int port_init(Port *self, PyObject *args, PyObject *Py_UNUSED(named))
{
    unsigned long long so;
    if (!PyArg_ParseTuple(args, "K", &so))
        return -1;
    self->so = (void *)(uintptr_t)so;
    return 0;
}

static void port_dealloc(Port *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* The module. */

PyDoc_STRVAR(attach_doc, "attach(functions, room, seed, engine, odd)\n--\n\nUse this library, for this engine.\n\n"
                         "@param functions: addresses of usrsctp_conninput, _get_events, _recvv, and _sendv.\n"
                         "@param room: where datagrams lie that are not usual.\n"
                         "@param odd: called with a handle and a packet that goes out, if it is not usual.\n"
                         "@return: the address of what the library is to call to send.");

static PyObject *attach(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long input_, events_, recvv_, sendv_, room_;
    PyObject *engine_, *odd_;
    if (!PyArg_ParseTuple(args, "(KKKK)KIOO", &input_, &events_, &recvv_, &sendv_, &room_, &seed, &engine_, &odd_))
        return NULL;
    PyObject *now = PyObject_GetAttrString(engine_, "clock");
    PyObject *fine = now ? PyObject_GetAttrString(now, "pace") : NULL;
    PyObject *many = fine ? PyObject_GetAttrString(fine, "crowd") : NULL;
    PyObject *tags = many ? PyObject_GetAttrString(fine, "by_tag") : NULL;
    PyObject *all = tags ? PyObject_GetAttrString(engine_, "endpoints") : NULL;
    if (!all) {
        Py_XDECREF(now);
        Py_XDECREF(fine);
        Py_XDECREF(many);
        Py_XDECREF(tags);
        return NULL;
    }
    for (uint32_t each = 1; each < peers_room; each++)
        drop(each);
    conninput = (void (*)(uintptr_t, const char *, size_t, uint8_t))(uintptr_t)input_;
    get_events = (int (*)(void *))(uintptr_t)events_;
    recvv = (ssize_t(*)(void *, char *, size_t, void *, void *, struct rcvinfo *, uint32_t *, unsigned int *, int *))(
        uintptr_t)recvv_;
    sendv = (ssize_t(*)(void *, const char *, size_t, void *, int, const char *, uint32_t, unsigned int, int))(
        uintptr_t)sendv_;
    room = (unsigned char *)(uintptr_t)room_;
    PyObject *before[] = {engine, odd, clock_, pace, by_tag, crowd, endpoints};
    engine = Py_NewRef(engine_);
    odd = Py_NewRef(odd_);
    clock_ = now;
    pace = fine;
    by_tag = tags;
    crowd = many;
    endpoints = all;
    for (size_t each = 0; each < sizeof before / sizeof *before; each++)
        Py_XDECREF(before[each]);
    return PyLong_FromUnsignedLongLong((uintptr_t)output);
}

static PyMethodDef lane_methods[] = {
    {"read", (PyCFunction)lane_read, METH_VARARGS, lane_read_doc},
    {"hold", (PyCFunction)lane_hold, METH_VARARGS, lane_hold_doc},
    {"release", (PyCFunction)lane_release, METH_O, lane_release_doc},
    {"carried", (PyCFunction)lane_carried, METH_NOARGS, lane_carried_doc},
    {"close", (PyCFunction)lane_close, METH_NOARGS, lane_close_doc},
    {0},
};
static PyType_Slot lane_slots[] = {
    {Py_tp_doc, (void *)"Lane(fd, family, wild)\n--\n\nA UDP socket; wild: it has all our addresses."},
    {Py_tp_init, (void *)lane_init},
    {Py_tp_dealloc, (void *)lane_dealloc},
    {Py_tp_methods, lane_methods},
    {0},
};
static PyType_Spec lane_spec = {"rserpool.sctp.usrsctp._shuttle.Lane", sizeof(Lane), 0, Py_TPFLAGS_DEFAULT, lane_slots};

static PyMethodDef port_methods[] = {
    {"read", (PyCFunction)port_read, METH_VARARGS, port_read_doc},
    {"send", (PyCFunction)port_send, METH_VARARGS, port_send_doc},
    {"close", (PyCFunction)port_close, METH_NOARGS, port_close_doc},
    {0},
};
static PyType_Slot port_slots[] = {
    {Py_tp_doc, (void *)"Port(so)\n--\n\nA socket of the library's, by its address."},
    {Py_tp_init, (void *)port_init},
    {Py_tp_dealloc, (void *)port_dealloc},
    {Py_tp_methods, port_methods},
    {0},
};
static PyType_Spec port_spec = {"rserpool.sctp.usrsctp._shuttle.Port", sizeof(Port), 0, Py_TPFLAGS_DEFAULT, port_slots};

static PyMethodDef functions[] = {
    {"attach", attach, METH_VARARGS, attach_doc},
    {0},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_shuttle", "What nearly every packet needs, compiled (shuttle.c).", -1, functions,
};

PyMODINIT_FUNC PyInit__shuttle(void)
{
    static const struct {
        PyObject **name;
        const char *text;
    } names[] = {
        {&s_acknowledged, "acknowledged"}, {&s_answered, "answered"}, {&s_beats, "beats"}, {&s_bundle, "bundle"}, {&s_coarse, "coarse"}, {&s_drain, "drain"},
        {&s_hear, "hear"}, {&s_heard_at, "heard_at"}, {&s_here, "here"}, {&s_lanes, "lanes"}, {&s_moved, "moved"}, {&s_now, "now"},
        {&s_only, "only"}, {&s_received, "received"}, {&s_sent, "sent"}, {&s_volume, "volume"},
    };
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    for (size_t each = 0; each < sizeof names / sizeof *names; each++)
        if (!*names[each].name && !(*names[each].name = PyUnicode_InternFromString(names[each].text)))
            goto failed;
    PyObject *lane = PyType_FromSpec(&lane_spec);
    if (!lane || PyModule_AddObjectRef(module, "Lane", lane) < 0)
        goto failed;
    Py_DECREF(lane);
    PyObject *port = PyType_FromSpec(&port_spec);
    if (!port || PyModule_AddObjectRef(module, "Port", port) < 0)
        goto failed;
    Py_DECREF(port);
    return module;
failed:
    Py_DECREF(module);
    return NULL;
}
