/*
 * Our C ABI: what of Asterisk's API is a macro, inline, variadic, or a section
 * to be run under a lock (a lock taken in C is let go in C, whatever happens
 * in Rust). Implemented in src/ffi/shim.c and src/ffi/channel.c.
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
/* Implemented in Rust (src/asterisk/function.rs): AUTHENTICATE_VERIFY is read. */
int authrs_verify(struct ast_channel *chan, const char *name, char *data, char *buffer,
	size_t size);

/*
 * Implemented in Rust (src/asterisk/digits.rs), called with the channel locked:
 * a key has been taken, and the hook is gone.
 */
void authrs_digit_taken(void *data, int key);
void authrs_digits_done(void *data);

/*
 * Implemented in Rust (src/asterisk/hangup.rs), called on a thread of Asterisk's
 * without a lock: the channel with this unique id has ended.
 */
void authrs_channel_ended(const char *unique_id);

/* This module, once Asterisk has registered it. */
struct ast_module *authrs_self(void);
/* A reference that keeps the module from being unloaded, and its release. */
void authrs_hold(void);
void authrs_release(void);

/* Logs `length` bytes of `text` as one line; `%` in it means nothing. */
void authrs_log(int level, const char *file, int line, const char *text, size_t length);

/* Whether anything shows verbose lines of level 3: 1 or 0. */
int authrs_is_verbose(void);
/* Writes `length` bytes of `text` as a verbose line of level 3; `%` in it means nothing. */
void authrs_verbose(const char *file, int line, const char *text, size_t length);

/* Offers `text` as what a word on the command line could be. */
void authrs_cli_complete(const char *text);
/* Sends `text` to an AMI session; `%` in it means nothing. */
void authrs_manager_append(struct mansession *session, const char *text);
/* Appends `text` to what Prometheus gets. */
void authrs_metrics_append(struct ast_str **output, const char *text);
/* Whether Asterisk has started all its modules: 1 or 0. */
int authrs_is_booted(void);

/*
 * Room behind structures of ours that Asterisk writes to, or keeps. They grow at
 * their end from one release to the next within a major version, and an Asterisk
 * newer than the headers of the build writes, and reads, what lies behind ours.
 * Zeros there are what a member that is not set is.
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

/* Copies the channel's name, ended by NUL, cut to `size`. */
void authrs_name(struct ast_channel *chan, char *buffer, size_t size);
/* Whether it is answered: 1 or 0. */
int authrs_is_up(struct ast_channel *chan);
/* Whether a sound plays: 1 or 0. */
int authrs_is_streaming(struct ast_channel *chan);
/* Whether the caller is gone or somebody has redirected the call: 1 or 0. */
int authrs_is_gone(struct ast_channel *chan);
/* asterisk.conf: transmit_silence, 1 or 0. */
int authrs_transmits_silence(void);
/* The channel's waits for the first and for further keys, in milliseconds. */
void authrs_key_timeouts(struct ast_channel *chan, int *first, int *next);
/* Copies the channel's language, ended by NUL, cut to `size`. */
void authrs_language(struct ast_channel *chan, char *buffer, size_t size);
void authrs_set_account_code(struct ast_channel *chan, const char *code);
/*
 * What every call begins with, under one lock: the status is `failed` until
 * there is a verdict, the other `cleared` variables are empty, and the
 * application's data, which CDR, AMI and the CLI show, is hidden if wanted. Nobody is
 * told: that would be five events a call that say nothing.
 */
void authrs_fail_closed(struct ast_channel *chan, const char *status, const char *failed,
	const char *const *cleared, size_t count, int hide);
/* Has the others see the channel as it is now. */
void authrs_publish(struct ast_channel *chan);

/*
 * Takes the keys that come in on the channel before Asterisk's core sees them:
 * of each, `authrs_digit_taken` is told, and whoever waits for a digit or for the
 * end of a sound gets AST_CONTROL_STREAM_STOP. The hook's id, 1 or more, or -1;
 * unless it is that, `data` is the hook's until `authrs_digits_done`.
 */
int authrs_hide_digits(struct ast_channel *chan, void *data);
/* Takes the hook back. It is gone when this returns, unless it was on another channel by then. */
void authrs_show_digits(struct ast_channel *chan, int hook);

/* Copies the caller's number, ended by NUL, cut to `size`: 1, or 0 if there is none. */
int authrs_caller_number(struct ast_channel *chan, char *buffer, size_t size);
/*
 * Goes to a place of the dialplan, its priority a number or a label: 0, or -1 if
 * there is no such place or a redirect is under way.
 */
int authrs_goto(struct ast_channel *chan, const char *context, const char *exten,
	const char *priority);
/* The same for the priority of its own extension that lies `by` behind the current one. */
int authrs_jump(struct ast_channel *chan, int by);
/* Whether there is a first priority of this extension: 1 or 0. */
int authrs_has_place(struct ast_channel *chan, const char *context, const char *exten);
/* Copies `context,extension,priority`, ended by NUL, cut to `size`. */
void authrs_place(struct ast_channel *chan, char *buffer, size_t size);
/* Copies the number that was dialled, or the extension, ended by NUL, cut to `size`. */
void authrs_dialled(struct ast_channel *chan, char *buffer, size_t size);

/* What came of running another application on a channel. */
enum authrs_ran {
	AUTHRS_RAN,
	AUTHRS_RAN_FAILED,
	AUTHRS_RAN_NONE,
};
/*
 * Runs the application of this name with `data`, the channel's language being
 * `language` meanwhile, unless that is NULL. AUTHRS_RAN_NONE: there is no such
 * application.
 */
enum authrs_ran authrs_run(struct ast_channel *chan, const char *application, const char *data,
	const char *language);
/*
 * Takes a variable away from the channel, wipes it, and copies its value, ended
 * by NUL: its length, -1 if there is none, -2 if it does not fit into `size`.
 * Nobody is told.
 */
int authrs_take_variable(struct ast_channel *chan, const char *name, char *buffer, size_t size);
/* Whether it is one of these times now (ast_build_timing): 1 or 0, -1 if they are none. */
int authrs_is_time(const char *times);

/*
 * Who calls, and on which channel: texts ended by NUL, cut to their room. A caller
 * without a number has an empty one.
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
/* The same of the channel of this name or unique id: 0, or -1 if there is none. */
int authrs_origin_of(const char *channel, struct authrs_origin *origin);
/*
 * What a function of the dialplan says of the channel of this name or unique id:
 * 0, or -1 if there is none, or the function fails.
 */
int authrs_read_of(const char *channel, const char *function, char *buffer, size_t size);
/*
 * Reports to Asterisk's security events that a caller was let in, or has made a wrong
 * entry; addresses with their ports. 0 on success, else -1.
 */
int authrs_security_event(int admitted, const char *account, const char *session,
	const char *local, const char *remote, enum ast_transport transport);

/*
 * Has `authrs_channel_ended` called for each channel that ends, until
 * `authrs_ignore_channels`, which waits for the last call of it. NULL: not subscribed.
 */
struct stasis_subscription *authrs_watch_channels(void);
void authrs_ignore_channels(struct stasis_subscription *subscription);

/* The dialplan function AUTHENTICATE_VERIFY; 0 on success. */
int authrs_function_register(void);
void authrs_function_unregister(void);

/*
 * Whether the key exists, without a line in the log that names it: 1 or 0, -1 if
 * that can't be told.
 */
int authrs_db_exists(const char *family, const char *key);

/* What came of reading a configuration file. */
enum authrs_config_status {
	AUTHRS_CONFIG_READ,
	AUTHRS_CONFIG_MISSING,
	AUTHRS_CONFIG_INVALID,
};
/*
 * Reads a configuration file into `*config`, which is the caller's to destroy
 * and is left alone unless the file has been read.
 */
enum authrs_config_status authrs_config_load(const char *file, struct ast_config **config);

/* A thread of Asterisk's that must be joined; 0 on success. */
int authrs_thread_start(pthread_t *thread, void *(*body)(void *), void *data);

#endif
