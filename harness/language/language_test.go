package language

import "testing"

func TestLanguageIsTheLocales(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want Language
	}{
		{nil, English},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, Chinese},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, English},
		{map[string]string{"LANG": "en_US", "LC_MESSAGES": "zh_TW"}, Chinese},
		{map[string]string{"LANG": "zh_CN", "LC_ALL": ""}, Chinese},
		{map[string]string{"LANG": "de_DE.UTF-8"}, English},
	} {
		if got := Of(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v: %s", c.env, got)
		}
	}
}
