/*
 * The parts of Asterisk's API that only C can use: see shim.h. Those for channels are
 * in channel.c.
 *
 * AST_MODULE_INFO stands here so that Asterisk's own check of the build
 * options and of the licence stays in force.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "asterisk.h"

#include "asterisk/astdb.h"
#include "asterisk/cli.h"
#include "asterisk/config.h"
#include "asterisk/json.h"
#include "asterisk/logger.h"
#include "asterisk/manager.h"
#include "asterisk/module.h"
#include "asterisk/options.h"
#include "asterisk/netsock2.h"
#include "asterisk/pbx.h"
#include "asterisk/security_events.h"
#include "asterisk/stasis.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/strings.h"
#include "asterisk/utils.h"

#include "shim.h"

struct ast_module *authrs_self(void)
{
	return AST_MODULE_SELF;
}

void authrs_hold(void)
{
	ast_module_ref(AST_MODULE_SELF);
}

void authrs_release(void)
{
	ast_module_unref(AST_MODULE_SELF);
}

void authrs_log(int level, const char *file, int line, const char *text, size_t length)
{
	ast_log(level, file, line, "Authenticate", "%.*s\n", (int) length, text);
}

/* The verbose level of applications: `Playing …`, `Called …`. */
#define AUTHRS_VERBOSE 3

int authrs_is_verbose(void)
{
	return VERBOSITY_ATLEAST(AUTHRS_VERBOSE) ? 1 : 0;
}

void authrs_verbose(const char *file, int line, const char *text, size_t length)
{
	__ast_verbose(file, line, "Authenticate", AUTHRS_VERBOSE, "%.*s\n", (int) length, text);
}

void authrs_cli_complete(const char *text)
{
	ast_cli_completion_add(ast_strdup(text));
}

void authrs_manager_append(struct mansession *session, const char *text)
{
	astman_append(session, "%s", text);
}

/*
 * The structure is Asterisk's own, and begins with this pointer in 16 to 23. If it did
 * not, no login would have what is read here.
 */
const void *authrs_manager_session(const struct mansession *session)
{
	return *(const void *const *) session;
}

void authrs_metrics_append(struct ast_str **output, const char *text)
{
	ast_str_append(output, 0, "%s", text);
}

int authrs_is_booted(void)
{
	return ast_fully_booted ? 1 : 0;
}

int authrs_transmits_silence(void)
{
	return ast_opt_transmit_silence ? 1 : 0;
}

int authrs_security_event(int admitted, const char *account, const char *session,
	const char *local, const char *remote, enum ast_transport transport)
{
	struct ast_sockaddr here, there;
	struct ast_security_event_common common = {
		.service = "Authenticate",
		.module = AST_MODULE,
		.account_id = account,
		.session_id = session,
		.local_addr = { .addr = &here, .transport = transport },
		.remote_addr = { .addr = &there, .transport = transport },
	};
	struct ast_security_event_successful_auth right = { .using_password = 1 };
	struct ast_security_event_inval_password wrong = { .challenge = NULL };

	/* 1: parsed, 0: not. */
	if (ast_sockaddr_parse(&there, remote, PARSE_PORT_REQUIRE) != 1
		|| ast_sockaddr_parse(&here, local, PARSE_PORT_REQUIRE) != 1) {
		return -1;
	}
	/* ast_security_event_report: 0, also if the event was lost; -1: not of its kind or version. */
	if (admitted) {
		common.event_type = AST_SECURITY_EVENT_SUCCESSFUL_AUTH;
		common.version = AST_SECURITY_EVENT_SUCCESSFUL_AUTH_VERSION;
		right.common = common;
		return ast_security_event_report(&right.common);
	}
	common.event_type = AST_SECURITY_EVENT_INVAL_PASSWORD;
	common.version = AST_SECURITY_EVENT_INVAL_PASSWORD_VERSION;
	wrong.common = common;
	return ast_security_event_report(&wrong.common);
}

int authrs_is_time(const char *times)
{
	struct {
		struct ast_timing timing;
		char room[AUTHRS_ROOM];
	} filled = { 0 };
	int is = -1;

	/* ast_build_timing: 1, or 0 if they are none; ast_check_timing: 1 or 0. */
	if (ast_build_timing(&filled.timing, times) == 1) {
		is = ast_check_timing(&filled.timing) == 1;
	}
	ast_destroy_timing(&filled.timing);
	return is;
}

static struct {
	struct ast_custom_function function;
	char room[AUTHRS_ROOM];
} verify = {
	.function = {
		.name = "AUTHENTICATE_VERIFY",
		.read = authrs_verify,
	},
};

int authrs_function_register(void)
{
	/* It changes what is counted: not for AMI and ARI, unless
	 * live_dangerously says so. */
	return ast_custom_function_register_escalating(&verify.function, AST_CFE_READ);
}

void authrs_function_unregister(void)
{
	ast_custom_function_unregister(&verify.function);
}

#ifndef AUTHRS_HAVE_DB_EXISTS
/* main/db.c, of all versions without ast_db_exists: "/family/key" with its end. */
#define MAX_DB_FIELD 256
#endif

int authrs_db_exists(const char *family, const char *key)
{
#ifdef AUTHRS_HAVE_DB_EXISTS
	/*
	 * The number of such keys, 0 or 1. -1: no memory; and in 18.22 to 18.25, 20.7
	 * to 20.10, 21.2 to 21.5, 22.0 and certified-20.7-cert1 to -cert5 a key that is
	 * too long, "/family/key" of 256 characters or more.
	 */
	int exists = ast_db_exists(family, key);

	return exists > 0 ? 1 : exists == 0 ? 0 : -1;
#else
	/* ast_db_get logs the key it does not find. A look at the keys that
	 * start with all of this one but its last character logs nothing. */
	char *prefix = ast_strdupa(key);
	struct ast_db_entry *entries, *entry;
	size_t fixed = strlen(family) + 2;
	int found = 0;

	/* There is no longer key either, and a warning would show its digits. */
	if (!*prefix || fixed + strlen(key) >= MAX_DB_FIELD) {
		return 0;
	}
	prefix[strlen(prefix) - 1] = '\0';
	entries = ast_db_gettree_by_prefix(family, prefix);
	for (entry = entries; entry && !found; entry = entry->next) {
		found = strlen(entry->key) > fixed && !strcmp(entry->key + fixed, key);
	}
	ast_db_freetree(entries);
	return found;
#endif
}

enum authrs_config_status authrs_config_load(const char *file, int is_text,
	struct ast_config **config)
{
	struct ast_flags flags = { is_text ? CONFIG_FLAG_NOREALTIME : 0 };
	struct ast_config *loaded = ast_config_load(file, flags);

	if (loaded == CONFIG_STATUS_FILEMISSING) {
		return AUTHRS_CONFIG_MISSING;
	}
	/* It can't be unchanged, which was not requested; that would be no pointer, either. */
	if (loaded == CONFIG_STATUS_FILEINVALID || loaded == CONFIG_STATUS_FILEUNCHANGED) {
		return AUTHRS_CONFIG_INVALID;
	}
	*config = loaded;
	return AUTHRS_CONFIG_READ;
}

/* The drivers read the name, the value and the next of each of these, and keep nothing. */
struct ast_config *authrs_realtime_find(const char *family, const char *condition,
	const char *value, const char *pin_set)
{
	struct ast_variable of_set = { .name = "pinset", .value = pin_set };
	struct ast_variable first = { .name = condition, .value = value, .next = &of_set };

	/* ast_load_realtime_multientry_fields: NULL: no row, no engine, or an error. */
	return ast_load_realtime_multientry_fields(family, &first);
}

int authrs_realtime_set_uses(const char *family, const char *id, const char *from,
	const char *to)
{
	struct ast_variable of_uses = { .name = "uses", .value = from };
	struct ast_variable lookup = { .name = "id", .value = id, .next = &of_uses };
	struct ast_variable update = { .name = "uses", .value = to };

	/* ast_update2_realtime_fields: the number of changed rows; -1: an error, or no engine. */
	return ast_update2_realtime_fields(family, &lookup, &update);
}

int authrs_thread_start(pthread_t *thread, void *(*body)(void *), void *data)
{
	return ast_pthread_create_background(thread, NULL, body, data);
}

/*
 * Returns the unique id of the channel whose end a message reports, or NULL.
 * stasis_message_data never returns NULL: a message has data.
 */
#ifdef AUTHRS_HAVE_SNAPSHOT_UPDATE
static const char *ended_channel(struct stasis_message *message)
{
	struct ast_channel_snapshot_update *update;

	if (stasis_message_type(message) != ast_channel_snapshot_type()) {
		return NULL;
	}
	update = stasis_message_data(message);
	return ast_test_flag(&update->new_snapshot->flags, AST_FLAG_DEAD)
		? update->new_snapshot->base->uniqueid : NULL;
}
#else
/* Before Asterisk 17: the last message of a channel clears it from a cache. */
static const char *ended_channel(struct stasis_message *message)
{
	struct stasis_message *cleared;
	struct ast_channel_snapshot *snapshot;

	if (stasis_message_type(message) != stasis_cache_clear_type()) {
		return NULL;
	}
	cleared = stasis_message_data(message);
	if (stasis_message_type(cleared) != ast_channel_snapshot_type()) {
		return NULL;
	}
	snapshot = stasis_message_data(cleared);
	return snapshot->uniqueid;
}
#endif

static void on_channel(void *data, struct stasis_subscription *subscription,
	struct stasis_message *message)
{
	const char *unique_id = ended_channel(message);

	(void) data;
	(void) subscription;
	if (unique_id) {
		authrs_channel_ended(unique_id);
	}
}

/*
 * stasis_subscribe: NULL: not subscribed. The filter only spares us messages that
 * on_channel passes over: whether it is set does not matter.
 */
struct stasis_subscription *authrs_watch_channels(void)
{
	/* stasis_subscribe is a function or a macro; this is there either way. */
	struct stasis_subscription *subscription = __stasis_subscribe(ast_channel_topic_all(),
		on_channel, NULL, __FILE__, __LINE__, __func__);

	if (subscription) {
#ifdef AUTHRS_HAVE_SNAPSHOT_UPDATE
		stasis_subscription_accept_message_type(subscription, ast_channel_snapshot_type());
#else
		stasis_subscription_accept_message_type(subscription, stasis_cache_clear_type());
#endif
		stasis_subscription_set_filter(subscription, STASIS_SUBSCRIPTION_FILTER_SELECTIVE);
	}
	return subscription;
}

/*
 * ast_json_object_get and ast_json_string_get: NULL: there is none, or no object or text.
 * ast_json_integer_get: 0, which is no login: it is no number.
 */
static void on_security_event(void *data, struct stasis_subscription *subscription,
	struct stasis_message *message)
{
	struct ast_json *event;
	const char *service, *session, *user, *address;

	(void) data;
	(void) subscription;
	if (stasis_message_type(message) != ast_security_event_type()) {
		return;
	}
	event = ((struct ast_json_payload *) stasis_message_data(message))->json;
	if (ast_json_integer_get(ast_json_object_get(event, "SecurityEvent"))
		!= AST_SECURITY_EVENT_SUCCESSFUL_AUTH) {
		return;
	}
	service = ast_json_string_get(ast_json_object_get(event, "Service"));
	session = ast_json_string_get(ast_json_object_get(event, "SessionID"));
	user = ast_json_string_get(ast_json_object_get(event, "AccountID"));
	address = ast_json_string_get(ast_json_object_get(event, "RemoteAddress"));
	if (service && !strcmp(service, "AMI") && session && user && address) {
		authrs_ami_login(session, user, address);
	}
}

/* stasis_subscribe: as above. */
struct stasis_subscription *authrs_watch_logins(void)
{
	struct stasis_subscription *subscription = __stasis_subscribe(ast_security_topic(),
		on_security_event, NULL, __FILE__, __LINE__, __func__);

	if (subscription) {
		stasis_subscription_accept_message_type(subscription, ast_security_event_type());
		stasis_subscription_set_filter(subscription, STASIS_SUBSCRIPTION_FILTER_SELECTIVE);
	}
	return subscription;
}

void authrs_unsubscribe(struct stasis_subscription *subscription)
{
	stasis_unsubscribe_and_join(subscription);
}

/*
 * Before the stock module's, so that ours gets the name when both load. Of the
 * description 'module show' prints 40 characters.
 */
AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER, "Authenticate in Rust " AUTHRS_VERSION,
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = authrs_load,
	.unload = authrs_unload,
	.reload = authrs_reload,
	.load_pri = AST_MODPRI_DEFAULT - 1,
);
