/*
 * weft-net, the CNI plugin executable. It checks what the runtime gave it, opens a netlink socket in the pod's
 * network namespace, hands both to weftd over RUN_DIR/weft.sock, and prints weftd's answer:
 *
 *     runtime ──env, stdin──▶ weft-net ──request + netlink sockets─▶ weftd ──netlink──▶ pod and host
 *             ◀───stdout─────          ◀──────────answer───────────
 *
 * weftd makes all decisions. The shim does what must work without weftd: checks, VERSION, error documents, keeping
 * deletions for later, and a time limit for every call. stdout carries exactly one JSON document or
 * nothing. No heap, no locale, no name service; memory is bounded by the sizes below.
 *
 * Source: CNI specification 1.1.0.
 */
#define _GNU_SOURCE
#include "daemon.h"
#include "json.h"
#include "netns.h"
#include "spool.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_SIZE (1u << 20)             /* longest config on stdin */
#define REQUEST_SIZE (1u << 20)            /* longest request the daemon takes: config, escaped, and environment */
#define ANSWER_SIZE (2u << 20)             /* longest answer: a config's prevResult and our part of the result */
#define CONTAINER_ID_LENGTH 128            /* longest container id; runtimes use 64 */
#define INTERFACE_LENGTH 15                /* IFNAMSIZ - 1 */
#define MESSAGE_SIZE 2048                  /* of an error; escaped, each byte becomes six at most */
#define ENV_LENGTH (16u << 10)             /* longest variable that is passed on */
#define RUN_DIR_DEFAULT "/run/weft"
#define STDIN_MS 5000                      /* for the runtime to hand over the config */
#define CONNECT_MS 800                     /* time for weftd to accept */
#define ADD_WAIT_S_MAX 45                  /* longest addWaitSeconds; the answer to an ADD is due within a minute */
#define STATUS_WAIT_S_MAX 10               /* of a STATUS: the kubelet misses its runtime after 30 s */
#define PRINT_MS 2000                      /* for the runtime to take more of a long answer */
#define BACKSTOP_S 3                       /* behind the deadline, for calls that poll(2) cannot bound */
#define LATEST_VERSION "1.1.0"

/* Codes of the CNI specification; 8 and 999 are those of its reference implementation. */
enum code {
    CODE_INCOMPATIBLE_VERSION = 1,
    CODE_ENVIRONMENT = 4,
    CODE_IO = 5,
    CODE_DECODE = 6,
    CODE_CONFIG = 7,
    CODE_NETNS = 8,
    CODE_TRY_LATER = 11,
    CODE_NOT_AVAILABLE = 50,
    CODE_INTERNAL = 999,
};

enum need { NEED_CONTAINER_ID = 1, NEED_NETNS = 2, NEED_IFNAME = 4, NEED_PATH = 8 };

struct command {
    const char *name;
    unsigned needs;
    bool enters_pod;     /* opens a socket in the pod's namespace */
    int64_t deadline_ms; /* from start to end */
};

static const struct command commands[] = {
    {"ADD", NEED_CONTAINER_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH, true, 60000},
    {"DEL", NEED_CONTAINER_ID | NEED_IFNAME | NEED_PATH, false, 10000},
    {"CHECK", NEED_CONTAINER_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH, true, 30000},
    {"GC", NEED_PATH, false, 60000},
    {"STATUS", NEED_PATH, false, 900},
    {"VERSION", 0, false, 2000},
};

static const struct {
    unsigned need;
    const char *name;
} variables[] = {
    {NEED_CONTAINER_ID, "CNI_CONTAINERID"},
    {NEED_NETNS, "CNI_NETNS"},
    {NEED_IFNAME, "CNI_IFNAME"},
    {NEED_PATH, "CNI_PATH"},
};

static const char *const versions[] = {"0.3.1", "0.4.0", "1.0.0", LATEST_VERSION};

struct call {
    const struct command *command;
    int64_t deadline_ms;
    int64_t patience_ms; /* of all but a DEL, while nobody serves the socket */
    const char *version; /* for error documents */
    char run_dir[SPOOL_PATH_SIZE];
    char socket_path[SPOOL_PATH_SIZE + 16];
    struct json_text request;
};

static char config_bytes[CONFIG_SIZE];
static char request_bytes[REQUEST_SIZE];
static char answer_bytes[ANSWER_SIZE];
static volatile sig_atomic_t printing;

/* An environment variable; NULL when unset or empty. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Writes all of `text` to stdout. False when the runtime has closed it. */
static bool print(struct json_span text) {
    printing = 1;
    while (text.length > 0) {
        ssize_t written = write(STDOUT_FILENO, text.at, text.length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN && wait_ready(STDOUT_FILENO, POLLOUT, clock_ms() + PRINT_MS)) continue;
        if (written <= 0) return false;
        text.at += written;
        text.length -= (size_t)written;
    }
    return true;
}

/* Prints a CNI error document. Answers the exit code. `details` may be NULL. */
static int fail(const char *version, enum code code, const char *message, const char *details) {
    static char bytes[6 * MESSAGE_SIZE + 1024];
    struct json_text out = {.bytes = bytes, .size = sizeof bytes};
    char number[16];
    snprintf(number, sizeof number, "%d", (int)code);
    json_put(&out, "{\"cniVersion\":\"");
    json_put(&out, version);
    json_put(&out, "\",\"code\":");
    json_put(&out, number);
    json_put(&out, ",\"msg\":");
    json_put_string(&out, json_span_of(message));
    if (details != NULL) {
        json_put(&out, ",\"details\":");
        json_put_string(&out, json_span_of(details));
    }
    json_put(&out, "}\n");
    print((struct json_span){out.bytes, out.length});
    return 1;
}

/* The deadline has long passed inside a call that does not return: say so and go. */
static void on_alarm(int signal) {
    (void)signal;
    static const char document[] = "{\"cniVersion\":\"" LATEST_VERSION "\",\"code\":11,"
                                   "\"msg\":\"weft-net ran out of time\"}\n";
    if (!printing && write(STDOUT_FILENO, document, sizeof document - 1) < 0) _exit(2);
    _exit(1);
}

static void start_backstop(int64_t deadline_ms) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigset_t alone;
    sigemptyset(&alone);
    sigaddset(&alone, SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    sigprocmask(SIG_UNBLOCK, &alone, NULL); /* the runtime may have started us with it blocked */
    alarm((unsigned)(deadline_ms / 1000) + BACKSTOP_S);
}

static bool is_name(const char *text) {
    if (!isalnum((unsigned char)text[0])) return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("_.-", *at) == NULL) return false;
    return true;
}

static bool is_interface(const char *text) {
    if (strlen(text) > INTERFACE_LENGTH || strcmp(text, ".") == 0 || strcmp(text, "..") == 0) return false;
    for (const char *at = text; *at != '\0'; at++)
        if (*at == '/' || *at == ':' || isspace((unsigned char)*at) || iscntrl((unsigned char)*at)) return false;
    return json_is_utf8(json_span_of(text));
}

static const char *supported(const char *version) {
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(versions[i], version) == 0) return versions[i];
    return NULL;
}

/* Checks the variables the command needs. Answers 0, or the exit code after printing what is wrong. */
static int check_environment(const struct command *command) {
    char missing[128] = "";
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if ((command->needs & variables[i].need) == 0 || variable(variables[i].name) != NULL) continue;
        if (missing[0] != '\0') strcat(missing, ", ");
        strcat(missing, variables[i].name);
    }
    if (missing[0] != '\0') {
        char message[256];
        snprintf(message, sizeof message, "%s needs environment variables that are missing: %s", command->name,
                 missing);
        return fail(LATEST_VERSION, CODE_ENVIRONMENT, message, NULL);
    }
    const char *container_id = variable("CNI_CONTAINERID");
    if ((command->needs & NEED_CONTAINER_ID) != 0 &&
        (strlen(container_id) > CONTAINER_ID_LENGTH || !is_name(container_id)))
        return fail(LATEST_VERSION, CODE_ENVIRONMENT,
                    "CNI_CONTAINERID must be a letter or digit, then letters, digits, '_', '.' or '-'; at most 128",
                    NULL);
    if ((command->needs & NEED_IFNAME) != 0 && !is_interface(variable("CNI_IFNAME")))
        return fail(LATEST_VERSION, CODE_ENVIRONMENT,
                    "CNI_IFNAME must have at most 15 characters and no '/', ':' or space", NULL);
    return 0;
}

/* VERSION: the version of the config where there is one, and all versions. Nothing else is needed for it. */
static int answer_version(void) {
    size_t length;
    char given[16];
    const char *version = LATEST_VERSION;
    struct json_span value, config = {config_bytes, 0};
    if (read_all(STDIN_FILENO, config_bytes, sizeof config_bytes, &length, clock_ms() + 1000)) {
        config.length = length;
        if (json_valid(config) && json_member(config, "cniVersion", &value) &&
            json_string(value, given, sizeof given) && supported(given) != NULL)
            version = given;
    }
    static char bytes[256];
    struct json_text out = {.bytes = bytes, .size = sizeof bytes};
    json_put(&out, "{\"cniVersion\":\"");
    json_put(&out, version);
    json_put(&out, "\",\"supportedVersions\":[");
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        json_put(&out, i == 0 ? "\"" : ",\"");
        json_put(&out, versions[i]);
        json_put(&out, "\"");
    }
    json_put(&out, "]}\n");
    return print((struct json_span){out.bytes, out.length}) ? 0 : 1;
}

/* Reads the config and takes from it what the shim itself must know. Answers 0 or the exit code. */
static int read_config(struct call *call, struct json_span *config) {
    int64_t until = clock_ms() + STDIN_MS;
    if (until > call->deadline_ms) until = call->deadline_ms;
    config->at = config_bytes;
    if (!read_all(STDIN_FILENO, config_bytes, sizeof config_bytes, &config->length, until))
        return fail(call->version, CODE_IO,
                    errno == EFBIG ? "the network config on stdin is larger than 1 MiB"
                                   : "the network config could not be read from stdin",
                    strerror(errno));
    struct json_span value;
    if (!json_valid(*config) || config->length == 0 || config_bytes[strspn(config_bytes, " \t\r\n")] != '{')
        return fail(call->version, CODE_DECODE, "the network config on stdin is not a JSON object", NULL);

    char version[32] = "0.1.0"; /* what a config without cniVersion means */
    if (json_member(*config, "cniVersion", &value) && !json_string(value, version, sizeof version))
        return fail(call->version, CODE_DECODE, "cniVersion in the network config is not a short string", NULL);
    if (supported(version) == NULL) {
        char message[160];
        snprintf(message, sizeof message, "cniVersion %s is not supported; use 0.3.1, 0.4.0, 1.0.0 or 1.1.0",
                 version);
        return fail(call->version, CODE_INCOMPATIBLE_VERSION, message, NULL);
    }
    call->version = supported(version);

    static char name[512];
    if (!json_member(*config, "name", &value) || (json_string(value, name, sizeof name) && name[0] == '\0'))
        return fail(call->version, CODE_CONFIG, "the network config has no name", NULL);
    if (!is_name(name))
        return fail(call->version, CODE_CONFIG,
                    "the network's name must be a letter or digit, then letters, digits, '_', '.' or '-'", NULL);

    strcpy(call->run_dir, RUN_DIR_DEFAULT);
    if (json_member(*config, "runDir", &value) &&
        (!json_string(value, call->run_dir, sizeof call->run_dir) || call->run_dir[0] != '/'))
        return fail(call->version, CODE_CONFIG, "runDir in the network config is not an absolute path", NULL);
    snprintf(call->socket_path, sizeof call->socket_path, "%s/weft.sock", call->run_dir);

    call->patience_ms = CONNECT_MS;
    if (json_member(*config, "addWaitSeconds", &value)) {
        long seconds = json_is_integer(value) && value.length <= 2 ? strtol(value.at, NULL, 10) : -1;
        if (seconds < 0 || seconds > ADD_WAIT_S_MAX)
            return fail(call->version, CODE_CONFIG, "addWaitSeconds in the network config is no integer from 0 to 45",
                        NULL);
        bool status = strcmp(call->command->name, "STATUS") == 0;
        if (status && seconds > STATUS_WAIT_S_MAX) seconds = STATUS_WAIT_S_MAX;
        if (seconds > 0) call->patience_ms = 1000 * seconds;
        if (status && seconds > 0) {
            call->deadline_ms += call->patience_ms;
            start_backstop(call->command->deadline_ms + call->patience_ms);
        }
    }
    return 0;
}

/*
 * {"op":"cni","env":{"CNI_COMMAND":…},"config":"…"}: the config goes as text, so that weftd sees what the
 * runtime wrote, byte for byte.
 */
static int write_request(struct call *call, struct json_span config) {
    static const char *const passed[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS",
                                         "CNI_PATH"};
    struct json_text *out = &call->request;
    *out = (struct json_text){.bytes = request_bytes, .size = sizeof request_bytes};
    json_put(out, "{\"op\":\"cni\",\"env\":{");
    bool first = true;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        const char *value = variable(passed[i]);
        if (value == NULL) continue;
        if (strlen(value) > ENV_LENGTH) {
            char message[64];
            snprintf(message, sizeof message, "%s is longer than 16 KiB", passed[i]);
            return fail(call->version, CODE_ENVIRONMENT, message, NULL);
        }
        if (!first) json_put(out, ",");
        first = false;
        json_put_string(out, json_span_of(passed[i]));
        json_put(out, ":");
        json_put_string(out, json_span_of(value));
    }
    json_put(out, "},\"config\":");
    json_put_string(out, config);
    json_put(out, "}");
    if (out->overflow)
        return fail(call->version, CODE_CONFIG, "the network config is too large for a request of 1 MiB to weftd", NULL);
    return 0;
}

/* Opens the pod's namespace and checks that it is not this one. Answers 0 or the exit code. */
static int open_pod(const struct call *call, int *netns) {
    const char *path = variable("CNI_NETNS");
    *netns = netns_open(path);
    if (*netns < 0)
        return fail(call->version, CODE_ENVIRONMENT, "the network namespace CNI_NETNS cannot be opened",
                    strerror(errno));
    /* CNI_NETNS_OVERRIDE is ignored: a host that became a pod would lose its default route and settings. */
    if (netns_is_own(*netns))
        return fail(call->version, CODE_NETNS, "CNI_NETNS is the network namespace of the host itself", NULL);
    return 0;
}

/*
 * Enters the pod's namespace and opens the socket that weftd will work through. An ADD also brings what weftd needs to keep
 * the pod's interface as it makes it: a second socket, by which it hears of changes, and a descriptor that tells when the
 * namespace's path goes, for the sockets would keep the namespace. Answers 0 or the exit code.
 */
static int enter_pod(const struct call *call, int netns, struct descriptors *inside) {
    bool add = strcmp(call->command->name, "ADD") == 0;
    int route_socket = netns_route_socket(netns);
    if (route_socket < 0)
        return fail(call->version, CODE_IO, "no netlink socket could be opened in the namespace CNI_NETNS",
                    strerror(errno));
    inside->fd[inside->count++] = route_socket;
    const char *setting;
    if (add && !netns_harden(&setting)) {
        char message[160];
        snprintf(message, sizeof message, "%s could not be set in the pod's network namespace", setting);
        return fail(call->version, CODE_IO, message, strerror(errno));
    }
    int end = add ? netns_end(variable("CNI_NETNS"), netns) : -1;
    int events = end < 0 ? -1 : netns_another_socket();
    if (events < 0) return 0;
    inside->fd[inside->count++] = events;
    inside->fd[inside->count++] = end;
    return 0;
}

/* True when `cause` says that no daemon is there, rather than that it is slow or out of reach. */
static bool is_absent(int cause) {
    return cause == ENOENT || cause == ECONNREFUSED || cause == ECONNRESET || cause == EPIPE || cause == ENOTDIR;
}

static int connect_daemon(const struct call *call, bool patient) {
    int64_t until = clock_ms() + (patient ? call->patience_ms : CONNECT_MS);
    return daemon_connect(call->socket_path, patient, until < call->deadline_ms ? until : call->deadline_ms);
}

/* One exchange over `connection`, which is closed. False with errno. */
static bool exchange(const struct call *call, int connection, const struct descriptors *inside,
                     struct json_span *answer) {
    answer->at = answer_bytes;
    bool done = daemon_send(connection, call->request.bytes, call->request.length, inside, call->deadline_ms) &&
                daemon_receive(connection, answer_bytes, sizeof answer_bytes, &answer->length, call->deadline_ms);
    int cause = errno;
    close(connection);
    errno = cause;
    return done;
}

static int fail_without_daemon(const struct call *call, int cause) {
    char message[SPOOL_PATH_SIZE + 160];
    bool status = strcmp(call->command->name, "STATUS") == 0;
    if (cause == ENAMETOOLONG)
        return fail(call->version, CODE_CONFIG, "runDir is too long for a unix socket (at most 97 characters)", NULL);
    snprintf(message, sizeof message,
             cause == EPERM     ? "%s is served neither by root nor by this user; see who does it"
             : is_absent(cause) ? "weftd is not there at %s; start it, or set runDir in the network config"
                                : "weftd does not answer at %s; see its log",
             call->socket_path);
    return fail(call->version, status ? CODE_NOT_AVAILABLE : CODE_TRY_LATER, message, strerror(cause));
}

/* Prints what the daemon answered: its result, or its error as a CNI error document. Answers the exit code. */
static int print_answer(const struct call *call, struct json_span answer) {
    struct json_span ok, result, error, value;
    if (!json_valid(answer) || !json_member(answer, "ok", &ok))
        return fail(call->version, CODE_INTERNAL, "weftd's answer cannot be read", NULL);
    if (ok.at[0] == 't') {
        if (!json_member(answer, "result", &result) || result.at[0] != '{') return 0; /* nothing to print */
        return print(result) && print(json_span_of("\n")) ? 0 : 1;
    }
    if (!json_member(answer, "error", &error)) error = (struct json_span){"{}", 2};
    if (json_member(error, "code", &value) && json_is_integer(value)) {
        print(error);
        print(json_span_of("\n"));
        return 1;
    }
    static char message[MESSAGE_SIZE];
    if (!json_member(error, "message", &value) || !json_string(value, message, sizeof message))
        strcpy(message, "weftd refused the request");
    return fail(call->version, CODE_INTERNAL, message, NULL);
}

/*
 * DEL. While the daemon is away the deletion is kept for it and counts as done, or the runtime could not get
 * rid of pods; see spool.h for why none is lost.
 */
static int delete(const struct call *call) {
    struct json_span answer;
    int connection = connect_daemon(call, false);
    if (connection >= 0 && exchange(call, connection, NULL, &answer)) return print_answer(call, answer);
    if (!is_absent(errno)) return fail_without_daemon(call, errno);

    char path[SPOOL_PATH_SIZE];
    if (!spool_deletion(call->run_dir, variable("CNI_CONTAINERID"), variable("CNI_IFNAME"), call->request.bytes,
                        call->request.length, call->deadline_ms, path))
        return fail(call->version, CODE_TRY_LATER,
                    errno == ENOSPC ? "weftd is away and no further deletion can be kept for it; start it"
                                    : "weftd is away and the deletion could not be kept for it",
                    strerror(errno));
    connection = connect_daemon(call, false);
    if (connection < 0 || !exchange(call, connection, NULL, &answer)) return 0;
    unlink(path);
    return print_answer(call, answer);
}

static int run(struct call *call) {
    struct json_span config, answer;
    struct descriptors inside = {.count = 0};
    int netns = -1, status;
    if ((status = read_config(call, &config)) != 0 || (status = write_request(call, config)) != 0) return status;
    if (strcmp(call->command->name, "DEL") == 0) return delete(call);
    if (call->command->enters_pod && (status = open_pod(call, &netns)) != 0) return status;
    /* A call that comes while weftd is being replaced waits for the new one, as long as addWaitSeconds says. A STATUS
     * waits too, but for 10 s at most and only where that is asked for: a node is not to be called unready for a restart
     * of weftd. */
    bool patient = strcmp(call->command->name, "STATUS") != 0 || call->patience_ms > CONNECT_MS;
    int connection = connect_daemon(call, patient);
    if (connection < 0) return fail_without_daemon(call, errno);
    if (call->command->enters_pod && (status = enter_pod(call, netns, &inside)) != 0) return status;
    if (!exchange(call, connection, &inside, &answer)) return fail_without_daemon(call, errno);
    return print_answer(call, answer);
}

/* A runtime may leave 0, 1 or 2 closed; then our sockets would take their places. */
static bool hold_standard_descriptors(void) {
    for (int i = 0; i <= 2; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", O_RDWR) != i) return false;
    return true;
}

int main(void) {
    if (!hold_standard_descriptors()) return 1;
    signal(SIGPIPE, SIG_IGN);
    const char *name = variable("CNI_COMMAND");
    if (name == NULL)
        return fail(LATEST_VERSION, CODE_ENVIRONMENT,
                    "environment variables are missing: CNI_COMMAND (this is a CNI plugin, for container runtimes)",
                    NULL);
    struct call call = {.version = LATEST_VERSION};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) call.command = &commands[i];
    if (call.command == NULL)
        return fail(LATEST_VERSION, CODE_ENVIRONMENT, "CNI_COMMAND is none of ADD, DEL, CHECK, GC, STATUS, VERSION",
                    NULL);
    call.deadline_ms = clock_ms() + call.command->deadline_ms;
    start_backstop(call.command->deadline_ms);
    if (strcmp(name, "VERSION") == 0) return answer_version();
    int status = check_environment(call.command);
    return status != 0 ? status : run(&call);
}
