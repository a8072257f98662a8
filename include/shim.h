/*
 * Our C ABI for those parts of Asterisk's API that are macros, inline or variadic, and
 * for sections under a lock (a lock taken in C is released in C, whatever happens in
 * Rust). Implemented in src/ffi/shim.c and src/ffi/channel.c.
 */
#ifndef AUTHRS_SHIM_H
#define AUTHRS_SHIM_H

#include <stddef.h>
#include <pthread.h>

#include "asterisk/netsock2.h"

struct ast_channel;
struct ast_config;
struct ast_module;
struct ast_str;
struct mansession;
struct stasis_subscription;

/* Implemented in Rust (src/module.rs), called by Asterisk. */
int authrs_load(void);
int authrs_unload(void);
int authrs_reload(void);
/* Implemented in Rust (src/asterisk/function.rs): reads AUTHENTICATE_VERIFY. */
int authrs_verify(struct ast_channel *chan, const char *name, char *data, char *buffer,
	size_t size);

/*
 * Implemented in Rust (src/asterisk/dtmf_hook.rs), called with the channel locked, when
 * a digit has been taken and when the hook is gone.
 */
void authrs_digit_taken(void *data, int key);
void authrs_digits_done(void *data);

/*
 * Implemented in Rust (src/asterisk/hangup.rs), called on a thread of Asterisk without a
 * lock when the channel with this unique id has ended.
 */
void authrs_channel_ended(const char *unique_id);
/*
 * Implemented in Rust (src/asterisk/ami_logins.rs), called on a thread of Asterisk
 * without a lock when a user has logged in to AMI: the address of the session as `%p`
 * prints it, the user, and where from. None is NULL.
 */
void authrs_ami_login(const char *session, const char *user, const char *address);

/* This module, once Asterisk has registered it. */
struct ast_module *authrs_self(void);
/* A reference that keeps the module from being unloaded, and its release. */
void authrs_hold(void);
void authrs_release(void);

/* Logs `length` bytes of `text` as one line. `%` has no meaning in it. */
void authrs_log(int level, const char *file, int line, const char *text, size_t length);

/* Returns 1 if a console or log shows verbose lines of level 3, else 0. */
int authrs_is_verbose(void);
/* Writes `length` bytes of `text` as a verbose line of level 3. `%` has no meaning in it. */
void authrs_verbose(const char *file, int line, const char *text, size_t length);

/* Offers `text` as a completion of a word on the command line. */
void authrs_cli_complete(const char *text);
/* Sends `text` to an AMI session. `%` has no meaning in it. */
void authrs_manager_append(struct mansession *session, const char *text);
/* Returns what the security events of a session have as its address, to compare only. */
const void *authrs_manager_session(const struct mansession *session);
/* Appends `text` to the metrics of a scrape. */
void authrs_metrics_append(struct ast_str **output, const char *text);
/* Returns 1 if Asterisk has started all its modules, else 0. */
int authrs_is_booted(void);

/*
 * Room after structures of ours that Asterisk writes to or keeps. They grow at their end
 * between releases of a major version, and an Asterisk newer than the headers of the
 * build reads and writes beyond our members. Zeros there stand for members that are not
 * set.
 *
 * ast_custom_function   room: kept and written. It has grown twice since 20.0:
 *                       `since` (20.12, 21.7, 22.2), `provided_by` (20.19, 22.9)
 * ast_cli_entry         room: kept and written. The same since 16
 * ast_timing            room: written, on our stack. The same since 16
 * prometheus_callback   room: kept and read. The same since 17
 * ast_module_info       none: kept and written, but it has members in reserve
 * ast_framehook_interface, security events
 *                       none: copied; their version is compared first
 * ast_sockaddr          none: written; inline functions of all modules know its size
 * applications, AMI actions, configurations, JSON, schedules, channels, frames
 *                       none: Asterisk's own; we have pointers to them
 */
#define AUTHRS_ROOM 256

/* Copies the channel's name, NUL-terminated and truncated to `size`. */
void authrs_name(struct ast_channel *chan, char *buffer, size_t size);
/* Returns 1 if the channel is answered, else 0. */
int authrs_is_up(struct ast_channel *chan);
/* Returns 1 if a sound plays, else 0. */
int authrs_is_streaming(struct ast_channel *chan);
/* Returns 1 if the caller has hung up or the call was redirected, else 0. */
int authrs_is_gone(struct ast_channel *chan);
/* Returns transmit_silence of asterisk.conf, 1 or 0. */
int authrs_transmits_silence(void);
/* Copies the channel's timeouts of the first and of further digits, in milliseconds. */
void authrs_key_timeouts(struct ast_channel *chan, int *first, int *next);
/* Copies the channel's language, NUL-terminated and truncated to `size`. */
void authrs_language(struct ast_channel *chan, char *buffer, size_t size);
void authrs_set_account_code(struct ast_channel *chan, const char *code);
/*
 * Prepares a call, under one lock: the status is `failed` until there is a verdict, the
 * `cleared` variables are empty, and with `hide` the application's data, which CDR, AMI
 * and the CLI show, is hidden. Sends no events: those would be five useless ones a call.
 */
void authrs_fail_closed(struct ast_channel *chan, const char *status, const char *failed,
	const char *const *cleared, size_t count, int hide);
/* Publishes the channel as it is now. */
void authrs_publish(struct ast_channel *chan);

/*
 * Takes the digits of the channel before Asterisk's core sees them: each goes to
 * `authrs_digit_taken`, and a thread that waits for a digit or for the end of a sound
 * gets AST_CONTROL_STREAM_STOP. Returns the hook's id, 1 or more, or -1 if there is no
 * hook; unless it is -1, the hook owns `data` until `authrs_digits_done`.
 */
int authrs_hide_digits(struct ast_channel *chan, void *data);
/* Removes the hook, before it returns unless the hook is on another channel by then. */
void authrs_show_digits(struct ast_channel *chan, int hook);

/*
 * Copies the caller number, NUL-terminated and truncated to `size`. Returns 1, or 0 if
 * there is none.
 */
int authrs_caller_number(struct ast_channel *chan, char *buffer, size_t size);
/*
 * Goes to a place in the dialplan, whose priority is a number or a label. Returns 0, or
 * -1 if there is no such place or a redirect is under way.
 */
int authrs_goto(struct ast_channel *chan, const char *context, const char *exten,
	const char *priority);
/* Does the same for the current priority of its extension plus `by`. */
int authrs_jump(struct ast_channel *chan, int by);
/* Returns 1 if this extension has priority 1, else 0. */
int authrs_has_place(struct ast_channel *chan, const char *context, const char *exten);
/* Copies `context,extension,priority`, NUL-terminated and truncated to `size`. */
void authrs_place(struct ast_channel *chan, char *buffer, size_t size);
/* Copies the dialled number or the extension, NUL-terminated and truncated to `size`. */
void authrs_dialled(struct ast_channel *chan, char *buffer, size_t size);

/* Result of running another application on a channel. */
enum authrs_ran {
	AUTHRS_RAN,
	AUTHRS_RAN_FAILED,
	AUTHRS_RAN_NONE,
};
/*
 * Runs the application of this name with `data`, while the channel's language is
 * `language` unless that is NULL. Returns AUTHRS_RAN_NONE if there is no such
 * application.
 */
enum authrs_ran authrs_run(struct ast_channel *chan, const char *application, const char *data,
	const char *language);
/*
 * Removes a variable from the channel, without an event, wipes it, and copies its value,
 * NUL-terminated. Returns its length, -1 if there is none, or -2 if it does not fit into
 * `size`.
 */
int authrs_take_variable(struct ast_channel *chan, const char *name, char *buffer, size_t size);
/*
 * Returns 1 if it is one of these times now (ast_build_timing), 0 if not, or -1 if they
 * are invalid.
 */
int authrs_is_time(const char *times);

/*
 * The caller and the channel: texts, NUL-terminated and truncated. A caller without a
 * number has an empty one.
 */
struct authrs_origin {
	char caller[256];
	char channel[256];
	char unique_id[256];
	char linked_id[256];
	char context[256];
	/* Whether chan_pjsip drives the channel. */
	int is_pjsip;
};
void authrs_origin(struct ast_channel *chan, struct authrs_origin *origin);
/* Does the same for the channel of this name or unique id. Returns 0, or -1 if there is none. */
int authrs_origin_of(const char *channel, struct authrs_origin *origin);
/*
 * Copies the value of a dialplan function for the channel of this name or unique id.
 * Returns 0, or -1 if there is none or the function fails.
 */
int authrs_read_of(const char *channel, const char *function, char *buffer, size_t size);
/*
 * Reports a right or a wrong PIN as a security event of Asterisk. Addresses have ports.
 * Returns 0 on success, else -1.
 */
int authrs_security_event(int admitted, const char *account, const char *session,
	const char *local, const char *remote, enum ast_transport transport);

/*
 * Subscribe `authrs_channel_ended` to the ends of all channels and `authrs_ami_login` to
 * all logins, until `authrs_unsubscribe`, which waits for the last call. Return NULL if
 * that fails.
 */
struct stasis_subscription *authrs_watch_channels(void);
struct stasis_subscription *authrs_watch_logins(void);
void authrs_unsubscribe(struct stasis_subscription *subscription);

/* Registers the dialplan function AUTHENTICATE_VERIFY. Returns 0 on success. */
int authrs_function_register(void);
void authrs_function_unregister(void);

/*
 * Returns 1 if the key exists, 0 if not, or -1 if that is unknown. Logs no line that
 * names it.
 */
int authrs_db_exists(const char *family, const char *key);

/* Result of reading a configuration file. */
enum authrs_config_status {
	AUTHRS_CONFIG_READ,
	AUTHRS_CONFIG_MISSING,
	AUTHRS_CONFIG_INVALID,
};
/*
 * Reads a configuration file into `*config`, which the caller has to destroy. It is not
 * changed unless the file has been read. If `is_text` is not 0, Realtime is not asked for it.
 */
enum authrs_config_status authrs_config_load(const char *file, int is_text,
	struct ast_config **config);

/*
 * Returns the rows of a family of Realtime whose columns have these values, each a category,
 * which the caller has to destroy; NULL if there are none, or if that is not known. The
 * condition is part of the statement: it must not come from a caller.
 */
struct ast_config *authrs_realtime_find(const char *family, const char *condition,
	const char *value, const char *pin_set);
/*
 * Sets the column uses of the row with this id, if it is `from`. Returns the number of
 * rows that were changed, or a negative number if that has failed or is not known.
 */
int authrs_realtime_set_uses(const char *family, const char *id, const char *from,
	const char *to);

/* Starts a thread of Asterisk that must be joined. Returns 0 on success. */
int authrs_thread_start(pthread_t *thread, void *(*body)(void *), void *data);

#endif
