// The scripts of the benchmarks in gopher-lua: a fresh state for each call, two callers at once, SQLite in Go, no wall.
//
// Run as `engine FOLDER SECONDS SCRIPT`: FOLDER holds SCRIPT.lua, SCRIPT.json (its argument) and, where the script asks for it,
// data.db. It prints calls a second. It must not know how the other side is measured.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
	_ "modernc.org/sqlite"
)

const callersAtOnce = 8 // as many as ours has under way

type script struct {
	name     string
	proto    *lua.FunctionProto
	argument string
	database *sql.DB
}

func main() {
	runtime.GOMAXPROCS(2)
	folder, name := os.Args[1], os.Args[3]
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	check(err)
	loaded := load(folder, name)
	loaded.call()
	fmt.Println(rate(loaded, time.Duration(seconds*float64(time.Second))))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func load(folder, name string) *script {
	file, err := os.Open(filepath.Join(folder, name+".lua"))
	check(err)
	chunk, err := parse.Parse(file, name)
	check(err)
	proto, err := lua.Compile(chunk, name)
	check(err)
	argument, err := os.ReadFile(filepath.Join(folder, name+".json"))
	check(err)
	database, err := sql.Open("sqlite", filepath.Join(folder, "data.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	check(err)
	return &script{name, proto, string(argument), database}
}

func rate(loaded *script, length time.Duration) float64 {
	var calls atomic.Int64
	var callers sync.WaitGroup
	begun := time.Now()
	for range callersAtOnce {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for time.Since(begun) < length {
				loaded.call()
				calls.Add(1)
			}
		}()
	}
	callers.Wait()
	return float64(calls.Load()) / time.Since(begun).Seconds()
}

// call makes a state, runs the script in it, and returns what it answers, as JSON where it is a data function.
func (s *script) call() string {
	state := lua.NewState()
	defer state.Close()
	s.open(state)
	state.Push(state.NewFunctionFromProto(s.proto))
	check(state.PCall(0, 0, nil))
	if handle := state.GetGlobal("handle"); handle != lua.LNil {
		check(state.CallByParam(lua.P{Fn: handle, NRet: 1, Protect: true}, lua.LString(s.argument)))
		return state.ToString(-1)
	}
	var params any
	check(json.Unmarshal([]byte(s.argument), &params))
	request := state.NewTable()
	request.RawSetString("params", toLua(state, params))
	check(state.CallByParam(lua.P{Fn: state.GetGlobal("call"), NRet: 1, Protect: true}, request))
	answer, err := json.Marshal(fromLua(state.Get(-1)))
	check(err)
	return string(answer)
}

// open lays out the part of the goop table that the scripts use.
func (s *script) open(state *lua.LState) {
	goop, db := state.NewTable(), state.NewTable()
	db.RawSetString("query", state.NewFunction(s.query))
	db.RawSetString("exec", state.NewFunction(s.exec))
	goop.RawSetString("db", db)
	state.SetGlobal("goop", goop)
}

func arguments(state *lua.LState) []any {
	var values []any
	for index := 2; index <= state.GetTop(); index++ {
		values = append(values, fromLua(state.Get(index)))
	}
	return values
}

func (s *script) query(state *lua.LState) int {
	found, err := s.database.Query(state.CheckString(1), arguments(state)...)
	check(err)
	defer found.Close()
	names, err := found.Columns()
	check(err)
	rows := state.NewTable()
	values, places := make([]any, len(names)), make([]any, len(names))
	for index := range values {
		places[index] = &values[index]
	}
	for found.Next() {
		check(found.Scan(places...))
		row := state.NewTable()
		for index, name := range names {
			row.RawSetString(name, toLua(state, values[index]))
		}
		rows.Append(row)
	}
	state.Push(rows)
	return 1
}

func (s *script) exec(state *lua.LState) int {
	result, err := s.database.Exec(state.CheckString(1), arguments(state)...)
	check(err)
	changed, err := result.RowsAffected()
	check(err)
	state.Push(lua.LNumber(changed))
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case int64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []byte:
		return lua.LString(value)
	case time.Time:
		return lua.LString(value.UTC().Format(time.DateTime))
	case []any:
		list := state.NewTable()
		for _, each := range value {
			list.Append(toLua(state, each))
		}
		return list
	case map[string]any:
		object := state.NewTable()
		for name, each := range value {
			object.RawSetString(name, toLua(state, each))
		}
		return object
	}
	panic(fmt.Sprintf("no Lua value: %T", value))
}

func fromLua(value lua.LValue) any {
	switch value := value.(type) {
	case *lua.LNilType:
		return nil
	case lua.LBool:
		return bool(value)
	case lua.LNumber:
		if whole := int64(value); lua.LNumber(whole) == value {
			return whole
		}
		return float64(value)
	case lua.LString:
		return string(value)
	case *lua.LTable:
		if length := value.Len(); length > 0 {
			list := make([]any, 0, length)
			value.ForEach(func(_, each lua.LValue) { list = append(list, fromLua(each)) })
			return list
		}
		object := map[string]any{}
		value.ForEach(func(name, each lua.LValue) { object[name.String()] = fromLua(each) })
		return object
	}
	panic("no JSON value: " + value.Type().String())
}
