/*
 * The shim's functions (shim.h) for the channel that a call lends us.
 *
 * A channel's strings and pointers can be replaced by other threads at any
 * time (AMI's Redirect and Bridge, a SIP REFER, which masquerade it), so each
 * is read, copied and written with the channel locked.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "asterisk.h"

#include "asterisk/channel.h"
#include "asterisk/chanvars.h"
#include "asterisk/framehook.h"
#include "asterisk/linkedlists.h"
#include "asterisk/pbx.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/strings.h"
#include "asterisk/utils.h"

#include "shim.h"

void authrs_name(struct ast_channel *chan, char *buffer, size_t size)
{
	ast_channel_lock(chan);
	ast_copy_string(buffer, ast_channel_name(chan), size);
	ast_channel_unlock(chan);
}

int authrs_is_up(struct ast_channel *chan)
{
	int is;

	ast_channel_lock(chan);
	is = ast_channel_state(chan) == AST_STATE_UP;
	ast_channel_unlock(chan);
	return is;
}

int authrs_is_streaming(struct ast_channel *chan)
{
	int is;

	ast_channel_lock(chan);
	is = ast_channel_stream(chan) != NULL;
	ast_channel_unlock(chan);
	return is;
}

int authrs_is_gone(struct ast_channel *chan)
{
	int is;

	ast_channel_lock(chan);
	is = ast_test_flag(ast_channel_flags(chan), AST_FLAG_ZOMBIE) || ast_check_hangup(chan);
	ast_channel_unlock(chan);
	return is ? 1 : 0;
}

void authrs_key_timeouts(struct ast_channel *chan, int *first, int *next)
{
	struct ast_pbx *pbx;

	ast_channel_lock(chan);
	pbx = ast_channel_pbx(chan);
	/* ast_app_getdata's own, main/app.c */
	*first = pbx ? pbx->rtimeoutms : 6000;
	*next = pbx ? pbx->dtimeoutms : 2000;
	ast_channel_unlock(chan);
}

void authrs_language(struct ast_channel *chan, char *buffer, size_t size)
{
	ast_channel_lock(chan);
	ast_copy_string(buffer, ast_channel_language(chan), size);
	ast_channel_unlock(chan);
}

void authrs_set_account_code(struct ast_channel *chan, const char *code)
{
	ast_channel_lock(chan);
	ast_channel_accountcode_set(chan, code);
	ast_channel_unlock(chan);
}

static void set_quietly(struct ast_channel *chan, const char *name, const char *value)
{
	struct varshead *variables = ast_channel_varshead(chan);
	struct ast_var_t *variable;

	AST_LIST_TRAVERSE_SAFE_BEGIN(variables, variable, entries) {
		if (!strcmp(ast_var_name(variable), name)) {
			AST_LIST_REMOVE_CURRENT(entries);
			ast_var_delete(variable);
		}
	}
	AST_LIST_TRAVERSE_SAFE_END;
	if ((variable = ast_var_assign(name, value))) {
		AST_LIST_INSERT_HEAD(variables, variable, entries);
	}
}

void authrs_fail_closed(struct ast_channel *chan, const char *status, const char *failed,
	const char *const *cleared, size_t count, int hide)
{
	size_t i;

	ast_channel_lock(chan);
	set_quietly(chan, status, failed);
	for (i = 0; i < count; i++) {
		set_quietly(chan, cleared[i], "");
	}
	if (hide) {
		/* pbx_exec restores the data when the application returns. */
		ast_channel_data_set(chan, "<hidden>");
	}
	ast_channel_unlock(chan);
}

void authrs_publish(struct ast_channel *chan)
{
	ast_channel_lock(chan);
	ast_channel_publish_snapshot(chan);
	ast_channel_unlock(chan);
}

/*
 * Hides a digit. The frame stays the same one, because others may be linked to it
 * (frame_list). Fax tones, which come as digits too, are left alone.
 */
static struct ast_frame *take_digit(struct ast_channel *chan, struct ast_frame *frame,
	enum ast_framehook_event event, void *data)
{
	int key;

	if (event != AST_FRAMEHOOK_EVENT_READ || !frame
		|| (frame->frametype != AST_FRAME_DTMF_BEGIN && frame->frametype != AST_FRAME_DTMF_END)) {
		return frame;
	}
	key = frame->subclass.integer;
	if (key <= 0 || key > 'd' || !strchr("0123456789*#ABCDabcd", key)) {
		return frame;
	}
	frame->subclass.integer = 0;
	frame->len = 0;
	if (frame->frametype == AST_FRAME_DTMF_BEGIN) {
		frame->frametype = AST_FRAME_NULL;
		return frame;
	}
	frame->frametype = AST_FRAME_CONTROL;
	frame->subclass.integer = AST_CONTROL_STREAM_STOP;
	frame->datalen = 0;
	/* Set if the digit began before the hook: it would mute the caller from now on. */
	ast_clear_flag(ast_channel_flags(chan), AST_FLAG_IN_DTMF);
	authrs_digit_taken(data, key);
	return frame;
}

/* Detaches the hook when the caller moves to another channel: the call stays here. */
static void leave_digits(void *data, int hook, struct ast_channel *from, struct ast_channel *to)
{
	(void) data;
	(void) from;
	ast_framehook_detach(to, hook);
}

int authrs_hide_digits(struct ast_channel *chan, void *data)
{
	struct ast_framehook_interface digits = {
		.version = AST_FRAMEHOOK_INTERFACE_VERSION,
		.event_cb = take_digit,
		.destroy_cb = authrs_digits_done,
		.chan_fixup_cb = leave_digits,
		.data = data,
	};
	int hook;

	ast_channel_lock(chan);
	hook = ast_framehook_attach(chan, &digits);
	ast_channel_unlock(chan);
	return hook;
}

void authrs_show_digits(struct ast_channel *chan, int hook)
{
	struct ast_frame *frame;

	ast_channel_lock(chan);
	/*
	 * 0: the hook exists and is only marked; the next frame removes it, whatever
	 * happens to the call. -1: there is no such hook.
	 */
	if (ast_framehook_detach(chan, hook) == 0) {
		frame = ast_framehook_list_write_event(ast_channel_framehooks(chan), &ast_null_frame);
		if (frame) {
			ast_frfree(frame);
		}
	}
	ast_channel_unlock(chan);
}

int authrs_caller_number(struct ast_channel *chan, char *buffer, size_t size)
{
	int valid;

	ast_channel_lock(chan);
	valid = ast_channel_caller(chan)->id.number.valid;
	ast_copy_string(buffer, valid ? S_OR(ast_channel_caller(chan)->id.number.str, "") : "", size);
	ast_channel_unlock(chan);
	return valid ? 1 : 0;
}

void authrs_origin(struct ast_channel *chan, struct authrs_origin *origin)
{
	ast_channel_lock(chan);
	authrs_caller_number(chan, origin->caller, sizeof(origin->caller));
	ast_copy_string(origin->channel, ast_channel_name(chan), sizeof(origin->channel));
	ast_copy_string(origin->unique_id, ast_channel_uniqueid(chan), sizeof(origin->unique_id));
	ast_copy_string(origin->linked_id, ast_channel_linkedid(chan), sizeof(origin->linked_id));
	ast_copy_string(origin->context, ast_channel_context(chan), sizeof(origin->context));
	/* A dummy channel, with which Asterisk reads a function without a call, has a
	 * driver without a name. */
	origin->is_pjsip = ast_channel_tech(chan)
		&& !strcmp(S_OR(ast_channel_tech(chan)->type, ""), "PJSIP");
	ast_channel_unlock(chan);
}

int authrs_origin_of(const char *channel, struct authrs_origin *origin)
{
	/* It accepts unique ids as well. */
	struct ast_channel *chan = ast_channel_get_by_name(channel);

	if (!chan) {
		return -1;
	}
	authrs_origin(chan, origin);
	ast_channel_unref(chan);
	return 0;
}

int authrs_read_of(const char *channel, const char *function, char *buffer, size_t size)
{
	struct ast_channel *chan = ast_channel_get_by_name(channel);
	int result;

	if (!chan) {
		return -1;
	}
	/* 0: read, perhaps empty. -1, and what the function returns besides: not read. */
	result = ast_func_read(chan, function, buffer, size);
	ast_channel_unref(chan);
	return result == 0 ? 0 : -1;
}

/* ast_exists_extension: 0 if there is none; if there is one, -1 or the result of a switch. */
static int exists(struct ast_channel *chan, const char *context, const char *exten, int priority)
{
	char number[AST_MAX_EXTENSION];
	const char *caller = authrs_caller_number(chan, number, sizeof(number)) ? number : NULL;

	return priority > 0 && ast_exists_extension(chan, context, exten, priority, caller) != 0;
}

static int go_to(struct ast_channel *chan, const char *context, const char *exten, int priority)
{
	int result = -1;

	if (!exists(chan, context, exten, priority)) {
		return -1;
	}
	ast_channel_lock(chan);
	/* A redirect that is under way wins; ast_explicit_goto looks only since 20.16, 22.6. */
	if (!(ast_channel_softhangup_internal_flag(chan) & AST_SOFTHANGUP_ASYNCGOTO)) {
		/* 0, or -1 with no change made. */
		result = ast_explicit_goto(chan, context, exten, priority);
	}
	ast_channel_unlock(chan);
	return result == 0 ? 0 : -1;
}

int authrs_goto(struct ast_channel *chan, const char *context, const char *exten,
	const char *priority)
{
	char number[AST_MAX_EXTENSION];
	const char *caller = authrs_caller_number(chan, number, sizeof(number)) ? number : NULL;
	/*
	 * A label may begin with digits. ast_findlabel_extension: the priority, or -1
	 * if there is no such label or a switch would have to say.
	 */
	int at = priority[strspn(priority, "0123456789")]
		? ast_findlabel_extension(chan, context, exten, priority, caller)
		: atoi(priority);

	return go_to(chan, context, exten, at);
}

int authrs_jump(struct ast_channel *chan, int by)
{
	char context[AST_MAX_CONTEXT];
	char exten[AST_MAX_EXTENSION];
	int priority;

	/* AMI's Redirect sets all three from its own thread. */
	ast_channel_lock(chan);
	ast_copy_string(context, ast_channel_context(chan), sizeof(context));
	ast_copy_string(exten, ast_channel_exten(chan), sizeof(exten));
	priority = ast_channel_priority(chan);
	ast_channel_unlock(chan);
	return go_to(chan, context, exten, priority + by);
}

int authrs_has_place(struct ast_channel *chan, const char *context, const char *exten)
{
	return exists(chan, context, exten, 1);
}

void authrs_dialled(struct ast_channel *chan, char *buffer, size_t size)
{
	ast_channel_lock(chan);
	ast_copy_string(buffer,
		S_OR(ast_channel_dialed(chan)->number.str, ast_channel_exten(chan)), size);
	ast_channel_unlock(chan);
}

static void set_language(struct ast_channel *chan, const char *language)
{
	ast_channel_lock(chan);
	ast_channel_language_set(chan, language);
	ast_channel_unlock(chan);
}

enum authrs_ran authrs_run(struct ast_channel *chan, const char *application, const char *data,
	const char *language)
{
	struct ast_app *app = pbx_findapp(application);
	char before[MAX_LANGUAGE];
	int result;

	if (!app) {
		return AUTHRS_RAN_NONE;
	}
	if (language) {
		authrs_language(chan, before, sizeof(before));
		set_language(chan, language);
	}
	result = pbx_exec(chan, app, data);
	if (language) {
		set_language(chan, before);
	}
	/* An application returns 0 to go on, anything else to end the call. */
	return result == 0 ? AUTHRS_RAN : AUTHRS_RAN_FAILED;
}

void authrs_place(struct ast_channel *chan, char *buffer, size_t size)
{
	ast_channel_lock(chan);
	snprintf(buffer, size, "%s,%s,%d", ast_channel_context(chan), ast_channel_exten(chan),
		ast_channel_priority(chan));
	ast_channel_unlock(chan);
}

int authrs_take_variable(struct ast_channel *chan, const char *name, char *buffer, size_t size)
{
	struct varshead *variables;
	struct ast_var_t *variable;
	int length = -1;

	ast_channel_lock(chan);
	variables = ast_channel_varshead(chan);
	AST_LIST_TRAVERSE_SAFE_BEGIN(variables, variable, entries) {
		if (!strcmp(ast_var_name(variable), name)) {
			char *value = (char *) ast_var_value(variable);
			size_t there = strlen(value);

			if (length == -1 && there >= size) {
				length = -2;
			} else if (length == -1) {
				ast_copy_string(buffer, value, size);
				length = there;
			}
			explicit_bzero(value, there);
			AST_LIST_REMOVE_CURRENT(entries);
			ast_var_delete(variable);
		}
	}
	AST_LIST_TRAVERSE_SAFE_END;
	ast_channel_unlock(chan);
	return length;
}
